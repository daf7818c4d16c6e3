import Addressing
package import Routing
package import SIPMessage

/// The header fields of a redirect server's answers (RFC 3261 sections 8.3 and 21.3).
package enum RedirectResponse {
    /// A bit for each target, by its position in the set.
    package typealias Positions = UInt64

    /// The targets whose Contact would be equal to the Request-URI (section 19.1.4): a redirect server sends nobody to
    /// where he asks for already (section 8.3). Hardly ever one: a look at the addresses, and no more, tells.
    ///
    /// - Parameter scratch: is emptied and written to.
    package static func ownTargets(
        of set: TargetSet, for request: Message, in datagram: Span<UInt8>, scratch: inout OutputBuffer
    ) -> Positions {
        var own: Positions = 0
        guard let uri = request.target else { return own }
        for (position, target) in set.targets.enumerated()
        where uri.address == target.address.address && uri.port ?? 5060 == target.address.port
            && position < Positions.bitWidth
        {
            scratch.removeAll()
            writeURI(target, set, user: uri.userinfo, in: datagram, into: &scratch)
            let isOwn = SIPURI.areEquivalent(
                request.requestURI, in: datagram, ByteRange(0, scratch.count), in: scratch.bytes.span)
            if isOwn { own |= 1 << Positions(position) }
        }
        return own
    }

    /// 302 for one target, 300 for several; nil when none is left.
    package static func status(for set: TargetSet, without own: Positions) -> Int? {
        switch set.targets.count - own.nonzeroBitCount {
        case ...0: nil
        case 1: 302
        default: 300
        }
    }

    /// Appends one Contact field a target, in order, with `q` falling from 1 and the parameters that the set keeps
    /// (`ContactParameters`).
    package static func writeContacts(
        _ set: TargetSet, without own: Positions, for request: Message, in datagram: Span<UInt8>,
        into output: inout OutputBuffer
    ) {
        let user = request.target?.userinfo
        let count = set.targets.count - own.nonzeroBitCount
        var rank = 0
        for (position, target) in set.targets.enumerated()
        where position >= Positions.bitWidth || own & 1 << Positions(position) == 0 {
            output.append("Contact: <")
            writeURI(target, set, user: user, in: datagram, into: &output)
            output.append(">;q=")
            QValue(thousandths: UInt16(clamping: 1000 - rank * 1000 / count)).write(into: &output)
            output.append(set.text[target.parameters])
            if rank == 0, let bound = set.giveUpAfterMilliseconds, !target.parameters.isEmpty {
                output.append(";")
                output.append(ContactParameters.giveUpAfter)
                output.append("=")
                output.append(decimal: Int64(bound))
            }
            output.append("\r\n")
            rank += 1
        }
    }

    private static func writeURI(
        _ target: TargetSet.Target, _ set: TargetSet, user: ByteRange?, in datagram: Span<UInt8>,
        into output: inout OutputBuffer
    ) {
        set.text[target.text].withUnsafeBufferPointer { text in
            let uri = TargetURI(target, text: text)
            if let user {
                let end = min(user.upperBound, datagram.count)
                uri.write(user: datagram.extracting(min(user.lowerBound, end)..<end)) { output.append($0) }
            } else {
                uri.write(user: nil) { output.append($0) }
            }
        }
    }
}
