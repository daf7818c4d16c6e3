import Foundation
import Testing

extension IntegrationTests {
    /// `tandem check` on a database, beside the server that runs on it (API section 1).
    @Suite(.serialized) struct CheckTests {
        private func check(_ tandem: TandemProcess) throws -> (ending: Ending, output: String) {
            try ChildProcess.run(
                TandemProcess.binary(), ["check", "--database", tandem.folder.path + "/test.db"], seconds: 30)
        }

        @Test func `lint findings are told; errors make the exit code 1, warnings and notes do not`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (9, 19))
                let clean = try check(tandem)
                #expect(clean.ending == .exit(0), "\(clean.output)")
                #expect(clean.output.contains("no findings in the file\nerrors: 0, warnings: 0, notes: 0\n"))
                try tandem.provision("gateway-groups/paris", "{}")
                let warned = try check(tandem)
                #expect(warned.ending == .exit(0))
                #expect(
                    warned.output.contains(
                        "warning: gateway-groups/paris: it has no member (group-without-member); add members to it"),
                    "\(warned.output)")
                #expect(warned.output.hasSuffix("errors: 0, warnings: 1, notes: 1\n"))
                try tandem.provision("gateway-groups/both", "{}")
                let failed = try check(tandem)
                #expect(failed.ending == .exit(1))
                #expect(failed.output.contains("error: routing-lists/all: routes lead to it"), "\(failed.output)")
            }
        }
    }
}
