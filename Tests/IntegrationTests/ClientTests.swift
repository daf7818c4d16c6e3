import Foundation
import Testing

extension IntegrationTests {
    /// A client that a program made of our document (PyPI's openapi-python-client) works with the real server.
    @Suite struct ClientTests {
        private static let python = TandemProcess.packageRoot.path + "/.build/python/bin/python3"
        private static let canGenerate: Bool = {
            guard FileManager.default.isExecutableFile(atPath: python) else { return false }
            do {
                return try ChildProcess.run(python, ["-c", "import openapi_python_client"]).ending == .exit(0)
            } catch {
                return false
            }
        }()

        @Test(.enabled(if: canGenerate, "openapi-python-client is not installed (deploy/test does it)"))
        func `a generated client provisions the five objects of the README`() throws {
            try TandemProcess.serving { tandem in
                let deploy = TandemProcess.packageRoot.path + "/deploy/client"
                let folder = tandem.folder.path + "/client"
                let made = try ChildProcess.run("\(deploy)/generate", [folder], seconds: 60)
                #expect(made.ending == .exit(0), "\(made.output)")
                let run = try ChildProcess.run(
                    Self.python, ["\(deploy)/provision.py", folder, "http://\(tandem.api)"], seconds: 60)
                #expect(run.ending == .exit(0) && run.output == "lon1 lon2\n", "\(run.output)")
            }
        }
    }
}
