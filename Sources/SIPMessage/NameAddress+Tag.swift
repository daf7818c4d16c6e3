extension NameAddress {
    /// The `tag` of From or To; nil without one (RFC 3261 section 19.3). One without a value, or a second one, is an
    /// error: who completes or compares tags must not see another one than we do.
    func tag(in datagram: Span<UInt8>) throws(Malformed) -> ByteRange? {
        var found: ByteRange?
        var iterator = ParameterIterator(parameters)
        while let parameter = iterator.next(in: datagram) {
            guard Bytes.equalIgnoringCase(datagram, parameter.name, "tag") else { continue }
            guard found == nil, let value = parameter.value else {
                throw Malformed(offset: parameter.name.lowerBound)
            }
            found = value
        }
        return found
    }
}
