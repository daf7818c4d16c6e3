import Foundation
import Testing

extension IntegrationTests {
    /// `tandem simulate` (API section 1).
    @Suite struct SimulateCommandTests {
        private func simulate(_ arguments: String...) throws -> (ending: Ending, output: String) {
            try ChildProcess.run(TandemProcess.binary(), ["simulate"] + arguments)
        }

        @Test func `hours of simulated time: one seed after another, the same ones every time`() throws {
            let first = try simulate("--seed", "5", "--hours", "0.6", "--calls", "4")
            #expect(first.ending == .exit(0), "\(first.output)")
            let seeds = first.output.split(separator: "\n").filter { $0.hasSuffix(" ...") }
            #expect(seeds.first == "seed 5 ..." && seeds.count > 1, "\(first.output)")
            #expect(seeds == seeds.indices.map { "seed \(5 + $0) ..." })
            let last = try #require(first.output.split(separator: "\n").last)
            let words = last.split(separator: " ")
            #expect(words.first == "\(seeds.count)" && words.dropFirst(4).first.flatMap { Double($0) } ?? 0 >= 0.6)
            let second = try simulate("--seed", "5", "--hours", "0.6", "--calls", "4")
            #expect(second.output == first.output)
        }

        @Test(arguments: [
            ["--hours", "0"], ["--hours", "nan"], ["--hours", "-1"], ["--hours", "1", "--seeds", "1..2"],
        ])
        func `hours that are none are one line that names the flag, exit code 2`(arguments: [String]) throws {
            let result = try ChildProcess.run(TandemProcess.binary(), ["simulate"] + arguments)
            #expect(result.ending == .exit(2))
            #expect(result.output.contains("--hours"), "\(result.output)")
            #expect(result.output.split(separator: "\n").count == 1, "\(result.output)")
        }
    }
}
