extension Schema {
    /// Routes belong to a table of routes, and each plan has one of these at a time: a bulk writes the next one row by
    /// row beside it, and its change is then one row here.
    ///
    /// A table that has not begun is a bulk's under way, or what is left of one. A row of a table that doesn't say from
    /// which revision it holds does so since its table began, one without an end until its table ended, and one without
    /// a time was made with its table. `since_revision` of a row that was carried over from the table before is the
    /// revision that made the route what it is.
    static let routeTables = """
        CREATE TABLE route_tables (
            table_number INTEGER PRIMARY KEY,
            plan TEXT NOT NULL,
            begun_revision INTEGER REFERENCES revisions (revision),
            ended_revision INTEGER REFERENCES revisions (revision) CHECK (ended_revision > begun_revision),
            first_row INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX route_tables_live ON route_tables (plan)
            WHERE begun_revision IS NOT NULL AND ended_revision IS NULL;

        INSERT INTO route_tables (plan, begun_revision, first_row) SELECT DISTINCT plan, 0, 1 FROM routes;

        ALTER TABLE routes RENAME TO routes_by_plan;
        CREATE TABLE routes (
            number INTEGER PRIMARY KEY,
            table_number INTEGER NOT NULL REFERENCES route_tables (table_number),
            prefix TEXT NOT NULL,
            body TEXT NOT NULL,
            from_revision INTEGER REFERENCES revisions (revision),
            until_revision INTEGER REFERENCES revisions (revision) CHECK (until_revision > from_revision),
            since_revision INTEGER REFERENCES revisions (revision),
            created_at INTEGER
        ) STRICT;
        INSERT INTO routes (number, table_number, prefix, body, from_revision, until_revision, created_at)
            SELECT number, table_number, prefix, body, from_revision, until_revision, created_at
            FROM routes_by_plan JOIN route_tables USING (plan) ORDER BY number;
        DROP TABLE routes_by_plan;
        CREATE UNIQUE INDEX routes_live ON routes (table_number, prefix) WHERE until_revision IS NULL;
        CREATE INDEX routes_past ON routes (table_number, prefix) WHERE until_revision IS NOT NULL;
        CREATE INDEX routes_begun ON routes (from_revision) WHERE from_revision IS NOT NULL;
        CREATE INDEX routes_ended ON routes (until_revision) WHERE until_revision IS NOT NULL;
        """
}
