/// The statements that find what two revisions differ by: ?1 is the earlier one, ?2 the later one.
///
/// Each row is: where it stands in the walk (two columns), scope and name, whether it matters (it was there at the
/// earlier revision; or it is there at the later one and nothing of that name was at the earlier), then body, revision,
/// times of making and of changing; and where a row ends the same of what stands in its place at the later revision,
/// null when nothing does.
enum DifferenceSQL {
    /// Rows that ended or began between the two: those of revision ?3 behind row ?4, or those of the revisions behind
    /// ?3.
    static func ofRevisions(_ stage: DifferencePosition.Stage, isRest: Bool) -> String {
        let column = stage.isEnd ? "row.until_revision" : "row.from_revision"
        let place =
            isRest
            ? "\(column) = ?3 AND row.number > ?4 ORDER BY row.number"
            : "\(column) > ?3 AND \(column) <= ?2 ORDER BY \(column), row.number"
        switch stage {
        case .endedObjects: return endedObjects(column) + place
        case .begunObjects: return begunObjects(column) + place
        case .endedRoutes: return endedRoutes(column, from: "routes AS row INDEXED BY routes_ended") + place
        default: return begunRoutes(column, from: "routes AS row INDEXED BY routes_begun") + place
        }
    }

    /// The tables of routes that have ended or begun between the two, from number ?3 on.
    static func tables(_ stage: DifferencePosition.Stage) -> String {
        let condition =
            stage.isEnd
            ? "begun_revision <= ?1 AND ended_revision > ?1 AND ended_revision <= ?2"
            : "begun_revision > ?1 AND begun_revision <= ?2 AND ifnull(ended_revision > ?2, TRUE)"
        return "SELECT table_number FROM route_tables WHERE \(condition) AND table_number >= ?3 ORDER BY table_number"
    }

    /// The routes of table ?3 that have ended or begun with it, from prefix ?4 on.
    static func ofTable(_ stage: DifferencePosition.Stage) -> String {
        let place = "row.table_number = ?3 AND row.prefix >= ?4"
        switch stage {
        case .routesOfEndedTables:
            return endedRoutes("row.table_number", from: "routes AS row INDEXED BY routes_live")
                + "\(place) AND row.until_revision IS NULL ORDER BY row.prefix"
        case .routesOfBegunTables:
            return begunRoutes("row.table_number", from: "routes AS row INDEXED BY routes_live")
                + "\(place) AND row.until_revision IS NULL AND row.from_revision IS NULL ORDER BY row.prefix"
        default:
            return begunRoutes("row.table_number", from: "routes AS row INDEXED BY routes_past")
                + "\(place) AND row.until_revision IS NOT NULL AND row.from_revision IS NULL ORDER BY row.prefix"
        }
    }

    // MARK: objects

    private static func endedObjects(_ place: String) -> String {
        let same = "other.kind = row.kind AND other.id = row.id AND other.from_revision <= ?2"
        return """
            SELECT \(place), row.number, row.kind, row.id, row.from_revision <= ?1,
                row.body, row.from_revision, row.created_at, made.at,
                next.body, next.from_revision, next.created_at, renewed.at
            FROM objects AS row JOIN revisions AS made ON made.revision = row.from_revision
            LEFT JOIN objects AS next ON next.number = CASE WHEN row.from_revision <= ?1 THEN coalesce(
                (SELECT number FROM objects AS other WHERE \(same) AND other.until_revision IS NULL),
                (SELECT number FROM objects AS other WHERE \(same) AND other.until_revision > ?2)) END
            LEFT JOIN revisions AS renewed ON renewed.revision = next.from_revision
            WHERE 
            """
    }

    private static func begunObjects(_ place: String) -> String {
        """
        SELECT \(place), row.number, row.kind, row.id,
            ifnull(row.until_revision > ?2, TRUE) AND NOT EXISTS (
                SELECT 1 FROM objects AS other WHERE other.kind = row.kind AND other.id = row.id
                    AND other.until_revision > ?1 AND other.from_revision <= ?1),
            row.body, row.from_revision, row.created_at, made.at
        FROM objects AS row JOIN revisions AS made ON made.revision = row.from_revision
        WHERE 
        """
    }

    // MARK: routes

    private static func endedRoutes(_ place: String, from rows: String) -> String {
        let isThere = "ifnull(row.from_revision, mine.begun_revision) <= ?1"
        return """
            SELECT \(place), row.number, mine.plan, row.prefix, \(isThere),
                row.body, made.revision, ifnull(row.created_at, made.at), made.at,
                next.body, renewed.revision, ifnull(next.created_at, renewed.at), renewed.at
            FROM \(rows) CROSS JOIN route_tables AS mine ON mine.table_number = row.table_number
            CROSS JOIN revisions AS made
                ON made.revision = coalesce(row.since_revision, row.from_revision, mine.begun_revision)
            LEFT JOIN routes AS next ON next.number = CASE WHEN \(isThere) THEN \(route(at: "?2")) END
            LEFT JOIN route_tables AS other ON other.table_number = next.table_number
            LEFT JOIN revisions AS renewed
                ON renewed.revision = coalesce(next.since_revision, next.from_revision, other.begun_revision)
            WHERE 
            """
    }

    private static func begunRoutes(_ place: String, from rows: String) -> String {
        """
        SELECT \(place), row.number, mine.plan, row.prefix,
            mine.begun_revision <= ?2 AND ifnull(mine.ended_revision > ?2, TRUE)
                AND ifnull(row.until_revision > ?2, TRUE) AND \(route(at: "?1")) IS NULL,
            row.body, made.revision, ifnull(row.created_at, made.at), made.at
        FROM \(rows) CROSS JOIN route_tables AS mine ON mine.table_number = row.table_number
        CROSS JOIN revisions AS made
            ON made.revision = coalesce(row.since_revision, row.from_revision, mine.begun_revision)
        WHERE 
        """
    }

    /// The number of the row of the same route at a revision: in the table that began last before it, among those
    /// without an end or those that ended behind it.
    private static func route(at revision: String) -> String {
        let table = """
            (SELECT table_number FROM route_tables INDEXED BY route_tables_begun
                WHERE plan = mine.plan AND begun_revision <= \(revision) ORDER BY begun_revision DESC LIMIT 1)
            """
        let same = """
            there.table_number = \(table) AND there.prefix = row.prefix
                AND ifnull(there.from_revision, 0) <= \(revision)
            """
        return """
            coalesce(
                (SELECT number FROM routes AS there INDEXED BY routes_live
                    WHERE \(same) AND there.until_revision IS NULL),
                (SELECT number FROM routes AS there INDEXED BY routes_past
                    WHERE \(same) AND there.until_revision > \(revision)))
            """
    }
}
