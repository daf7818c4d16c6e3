import Addressing
import Testing

@testable import HTTPClient

struct DestinationRuleTests {
    private static let refused = [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1",
        "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
        "2002:7f00:1::1", "2002:a00:1::", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1",
        "febf::1", "fec0::1", "ff02::1", "8000::1",
    ]
    private static let taken = [
        "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
        "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255", "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2001:200::1", "64:ff9b::101:101", "::ffff:1.1.1.1",
    ]

    @Test func `no block of the table is lost in reading`() {
        #expect(SpecialPurpose.blocks.count == SpecialPurpose.texts.count)
    }

    @Test(arguments: refused)
    func `an address that is not of the public Internet is refused`(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(DestinationRule.publicOr([]).refusal(of: address, isEncrypted: true) != nil)
    }

    @Test(arguments: taken)
    func `a public address is taken, over https only`(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(DestinationRule.publicOr([]).refusal(of: address, isEncrypted: true) == nil)
        #expect(DestinationRule.publicOr([]).refusal(of: address, isEncrypted: false) != nil)
    }

    @Test func `an allowed network is taken with and without TLS, its neighbours are not`() throws {
        let rule = DestinationRule.publicOr(["10.1.0.0/16", "fd00:1::/32", "127.0.0.0/8"].compactMap { Network($0) })
        for text in ["10.1.2.3", "fd00:1::9", "127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::a01:203"] {
            let address = try #require(IPAddress(text))
            #expect(rule.refusal(of: address, isEncrypted: false) == nil, "\(text)")
        }
        for text in ["10.2.0.1", "fd00:2::1", "::1", "192.168.0.1"] {
            let address = try #require(IPAddress(text))
            #expect(rule.refusal(of: address, isEncrypted: true) != nil, "\(text)")
        }
    }

    @Test func `nobody's and many hosts' addresses are refused whatever is allowed`() throws {
        let all = DestinationRule.publicOr(["0.0.0.0/0", "::/0"].compactMap { Network($0) })
        for text in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"] {
            let address = try #require(IPAddress(text))
            #expect(all.refusal(of: address, isEncrypted: true) != nil, "\(text)")
            #expect(DestinationRule.anywhere.refusal(of: address, isEncrypted: true) != nil, "\(text)")
        }
        #expect(all.refusal(of: IPAddress(ipv4: 0x0A00_0001), isEncrypted: false) == nil)
        #expect(DestinationRule.anywhere.refusal(of: IPAddress(ipv4: 0x7F00_0001), isEncrypted: false) == nil)
    }
}
