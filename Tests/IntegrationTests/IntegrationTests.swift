import Testing

/// The real binary, met as users meet it; one test after another.
@Suite(.serialized) enum IntegrationTests {}
