import Dispatch
package import JSON
import NetworkManager
package import Routing
package import Store
package import Time

// What people and other machines say about gateways. It enters the gateway information table at once, as an observation
// of our own does, and is answered when its records are on disk.
extension ControlPlane {
    /// Takes what comes of a request, once, from any thread.
    package typealias Answering = @Sendable (Result<Revised<JSONValue>, Refusal>) -> Void

    /// The operator's word, which neither calls nor probes overrule before its end (`PUT /v1/gateways/{id}/status`).
    /// The answer is the gateway's status.
    package func order(gateway id: String, _ body: JSONValue, who: String, whenDone: @escaping Answering) {
        do throws(Refusal) {
            let slot = try slot(of: id)
            let order = try RequestBody(body, .statusOrder)
            let until = order.members.time("until")
            if let until, until <= clock.wallTime {
                let error = FieldError(
                    "/until", .string(until.rfc3339), "not in the future",
                    allowed: "a time after \(clock.wallTime.rfc3339)")
                throw Refusal(.invalid, "/until: not in the future.", errors: [error])
            }
            if let reason = readOnlyReason { throw .readOnly(reason) }
            let status = order.text("status").flatMap { GatewayStatus(rawValue: $0) } ?? .inService
            networkManager.order(slot, status, until: until, note: order.text("note"))
            whenRecorded(who: who) { refusal in
                whenDone(self.result(refusal) { () throws(Refusal) in try self.status(ofGateway: id) })
            }
        } catch {
            whenDone(.failure(error))
        }
    }

    /// What others saw of gateways (`POST /v1/status-reports`), by the same rules as what we see. The answer says how
    /// many were taken, and which were not and why.
    package func report(_ body: JSONValue, who: String, whenDone: @escaping Answering) {
        do throws(Refusal) {
            let body = try RequestBody(body, .statusReports)
            if let reason = readOnlyReason { throw .readOnly(reason) }
            let reports = JSONValue.object(body.members).entries("reports").map { StatusReport($0) }
            let receptions = networkManager.report(reports, from: body.text("reporter") ?? who)
            var ignored: [JSONValue] = []
            for (index, reception) in receptions.enumerated() {
                guard let reason = reception.reasonAgainst else { continue }
                ignored.append(
                    .object([
                        "pointer": .string("/reports/\(index)"), "gateway": .string(reports[index].gateway),
                        "reason": .string(reason),
                    ]))
            }
            let answer: JSONValue = .object([
                "taken": .integer(Int64(reports.count - ignored.count)), "ignored": .array(ignored),
            ])
            whenRecorded(who: who) { refusal in
                whenDone(
                    self.result(refusal) { () throws(Refusal) in
                        Revised(answer, revision: self.state.position.revision)
                    })
            }
        } catch {
            whenDone(.failure(error))
        }
    }

    /// The row of a gateway, for whoever asks it out of turn.
    package func slot(of gateway: String) throws(Refusal) -> GatewaySlot {
        guard let slot = state.builder.slot(of: gateway) else { throw .notFound(ResourcePath(.gateways, gateway)) }
        return slot
    }

    /// What a probe out of turn said (`POST /v1/gateways/{id}/probe`), and the status after it, when its record is on
    /// disk.
    ///
    /// - Parameter outcome: nil: nobody could ask.
    package func probed(_ id: String, _ outcome: ProbeOutcome?, who: String, whenDone: @escaping Answering) {
        guard let outcome else {
            return whenDone(
                .failure(Refusal(.conflict, "The gateway could not be asked: it has gone, or the server is draining.")))
        }
        whenRecorded(who: who) { refusal in
            whenDone(
                self.result(refusal) { () throws(Refusal) in
                    let status = try self.status(ofGateway: id)
                    return Revised(.object(outcome.members(status: status.value)), revision: status.revision)
                })
        }
    }

    /// Notes that somebody has taken note of a status record. The answer is the record.
    package func acknowledge(_ sequence: Int64, _ body: JSONValue, who: String, whenDone: @escaping Answering) {
        let request: RequestBody
        do throws(Refusal) { request = try RequestBody(body, .acknowledgement) } catch {
            return whenDone(.failure(error))
        }
        let acknowledgement = Acknowledgement(
            at: clock.wallTime, who: request.text("who") ?? who, note: request.text("note"))
        // It waits for the disk, which no thread of the API does.
        deskQueue.async { [self] in
            whenDone(
                result(nil) { () throws(Refusal) in
                    let record: StatusRecord
                    switch try self.acknowledge(sequence, acknowledgement) {
                    case .stored(let stored): record = stored
                    case .alreadyAcknowledged(let earlier):
                        let first = earlier.acknowledgement?.who ?? "someone"
                        throw Refusal(.conflict, "\(first) has acknowledged status record \(sequence) already.")
                    case .noSuchRecord:
                        throw Refusal(.notFound, "There is no status record \(sequence), or it is kept no longer.")
                    }
                    return Revised(record.json, revision: self.state.position.revision)
                })
        }
    }

    private func acknowledge(
        _ sequence: Int64, _ acknowledgement: Acknowledgement
    ) throws(Refusal) -> Store.AcknowledgementOutcome {
        do {
            return try store.acknowledge(sequence, acknowledgement)
        } catch {
            throw .readOnly(error.detail)
        }
    }

    /// How available a gateway was (`GET /v1/gateways/{id}/availability`). Of one that is deleted only the status
    /// records tell: what is asked here belongs to a gateway, and goes and comes back with it.
    ///
    /// - Parameters:
    ///   - from: Nil: as far back as records are kept.
    ///   - to: Nil: the present.
    package func availability(
        ofGateway id: String, from: WallTime?, to: WallTime?
    ) throws(Refusal) -> Revised<JSONValue> {
        if let from, let to, to <= from { throw Refusal(.malformed, "to: a time after from is needed.") }
        _ = try slot(of: id)
        let revision = state.position.revision
        let found = try reading { () throws(StoreError) in
            try store.availability(ofGateway: id, from: from, to: to, now: clock.wallTime)
        }
        guard let found else { throw .notFound(ResourcePath(.gateways, id)) }
        func seconds(_ duration: Duration?) -> JSONValue {
            duration.map { .number(Double($0.milliseconds) / 1000) } ?? .null
        }
        let body: [String: JSONValue] = [
            "gateway": .string(id), "from": .string(found.from.rfc3339), "to": .string(found.to.rfc3339),
            "percent_in_service": found.percentInService.map { .number($0) } ?? .null,
            "in_service_s": seconds(found.inService), "out_of_service_s": seconds(found.outOfService),
            "outages": .integer(Int64(found.outageCount)),
            "mean_time_between_failures_s": seconds(found.meanTimeBetweenFailures),
            "mean_time_to_repair_s": seconds(found.meanTimeToRepair),
        ]
        return Revised(.object(body), revision: revision)
    }

    /// Calls `whenDone` when the status changes that are known now are on disk, or with why they are not there yet.
    private func whenRecorded(who: String, _ whenDone: @escaping @Sendable (Refusal?) -> Void) {
        // They share the commit of an empty change, or went with one before; so many at once that some are left for the
        // next commit are waited for too.
        submit(Change([], who: who)) { [networkManager] result in
            guard let refusal = result.refusal else { return networkManager.whenRecorded { whenDone(nil) } }
            var told = Refusal(
                refusal.problem,
                "It is in force, but the record of it is not on disk yet: it is written as soon as that can be.")
            told.retryAfterSeconds = refusal.retryAfterSeconds
            whenDone(told)
        }
    }

    private func result(
        _ refusal: Refusal?, _ answer: () throws(Refusal) -> Revised<JSONValue>
    ) -> Result<Revised<JSONValue>, Refusal> {
        if let refusal { return .failure(refusal) }
        do throws(Refusal) { return .success(try answer()) } catch { return .failure(error) }
    }
}

extension Result where Failure == Refusal {
    fileprivate var refusal: Refusal? {
        guard case .failure(let refusal) = self else { return nil }
        return refusal
    }
}

/// How a probe ended that was asked for out of turn.
package struct ProbeOutcome: Sendable {
    /// The status code of the answer; nil: none came.
    package let sipStatus: Int?
    /// Without an answer: true when it could not be sent, false when nothing came in time.
    package let isTransportError: Bool
    /// From the question to its end.
    package let roundTrip: Duration
    /// True when it says that the gateway is available.
    package let isAcknowledged: Bool
    /// True when it changed the status.
    package let isChange: Bool

    /// An outcome of its parts.
    package init(
        sipStatus: Int?, isTransportError: Bool, roundTrip: Duration, isAcknowledged: Bool, isChange: Bool
    ) {
        (self.sipStatus, self.isTransportError, self.roundTrip) = (sipStatus, isTransportError, roundTrip)
        (self.isAcknowledged, self.isChange) = (isAcknowledged, isChange)
    }

    func members(status: JSONValue) -> [String: JSONValue] {
        let failure: JSONValue = .string(isTransportError ? "transport-error" : "no-response")
        return [
            "result": sipStatus.map { .integer(Int64($0)) } ?? failure,
            "round_trip_ms": sipStatus == nil ? .null : .number(Double(roundTrip.nanoseconds / 1000) / 1000),
            "acknowledged": .bool(isAcknowledged), "status_changed": .bool(isChange), "status": status,
        ]
    }
}
