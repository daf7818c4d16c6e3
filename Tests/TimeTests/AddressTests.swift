import Addressing
import Testing

@Suite struct IPAddressTests {
    @Test func `addresses are read and written as RFC 5952 says`() {
        let table = [
            "192.0.2.1": "192.0.2.1", "0.0.0.0": "0.0.0.0", "255.255.255.255": "255.255.255.255", "::": "::",
            "::1": "::1",
            "2001:DB8::1": "2001:db8::1", "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
            "1:2:3:4:5:6:7:8": "1:2:3:4:5:6:7:8",
            "1::": "1::", "1:0:3:4:5:6:7:8": "1:0:3:4:5:6:7:8", "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
            "::ffff:192.0.2.1": "192.0.2.1", "fe80::0001:0:0:1": "fe80::1:0:0:1",
        ]
        for (text, written) in table { #expect(IPAddress(text)?.description == written, "\(text)") }
    }

    @Test func `anything else is refused`() {
        for text in [
            "", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.", ".1.2.3",
            "1..2.3", ":",
            ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "::1%eth0", "[::1]", ":1::2",
            "1:",
            "1:2:3:4:5:6:7::8:9", "1.2.3.4::", "::1.2.3", "::1.2.3.4:5", "host", "1:2:3:4:5:6:7:1.2.3.4",
        ] {
            #expect(IPAddress(text) == nil, "\(text)")
        }
    }

    @Test func `parse(write(address)) is the address, whatever its groups`() {
        var state: UInt64 = 1
        for _ in 0..<5000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // Nibbles thinned out, so that runs of zeros are common.
            let high = state & (state << 13) & (state >> 7)
            let low = state &* 3 & (state >> 11) & (state << 5)
            let address = IPAddress(ipv6High: high, low: low)
            #expect(IPAddress(address.description) == address, "\(address)")
            let short = IPAddress(ipv4: UInt32(truncatingIfNeeded: state >> 16))
            #expect(IPAddress(short.description) == short)
        }
    }

    @Test func `loopback, unspecified, and a mapped address is the one that it stands for`() throws {
        #expect(try #require(IPAddress("127.9.9.9")).isLoopback)
        #expect(try #require(IPAddress("::1")).isLoopback)
        #expect(try #require(IPAddress("::ffff:127.0.0.1")).isLoopback)
        #expect(!(try #require(IPAddress("128.0.0.1"))).isLoopback)
        #expect(try #require(IPAddress("::")).isUnspecified)
        #expect(IPAddress("::ffff:192.0.2.1") == IPAddress("192.0.2.1"))
    }

    @Test func `a transport address is written as it stands in a URI`() throws {
        let first = TransportAddress(.udp, try #require(IPAddress("192.0.2.1")), port: 5060)
        let second = TransportAddress(.tls, try #require(IPAddress("2001:db8::1")), port: 5061)
        #expect(first.description == "udp:192.0.2.1:5060")
        #expect(second.hostPort == "[2001:db8::1]:5061")
    }
}

@Suite struct NetworkTests {
    @Test func `a network holds its addresses and no others`() throws {
        let table: [(String, String, Bool)] = [
            ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false), ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false), ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7/32", "192.0.2.6", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false), ("::/0", "::1", true),
            ("2001:db8::1/128", "2001:db8::1", true), ("2001:db8::/65", "2001:db8::8000:0:0:0", false),
        ]
        for (network, address, isInside) in table {
            #expect(try #require(Network(network)).contains(try #require(IPAddress(address))) == isInside, "\(network)")
        }
    }

    @Test func `bits behind the prefix, odd lengths and odd writing are refused`() {
        for text in [
            "192.0.2.77/24", "192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/+8", "10.0.0.0/08", "/8", "x/8",
            "1.2.3.4/8/8",
        ] {
            #expect(Network(text) == nil, "\(text)")
        }
        #expect(Network("10.0.0.0/8")?.description == "10.0.0.0/8")
        #expect(Network("10.0.0.1")?.description == "10.0.0.1/32")
    }
}
