extension Schema {
    /// Changes that go back by themselves unless somebody confirms them, and what became of it. Beside the revision,
    /// and no part of its digest: what became of it is not known yet when the revision is made.
    ///
    /// And which table of routes a plan had at some revision is found by an index: the one that began last before it.
    static let confirmations = """
        CREATE TABLE confirmations (
            revision INTEGER PRIMARY KEY REFERENCES revisions (revision),
            confirm_by INTEGER NOT NULL,
            state TEXT NOT NULL,
            settled_at INTEGER,
            settled_by TEXT,
            settled_revision INTEGER REFERENCES revisions (revision)
        ) STRICT;
        CREATE INDEX confirmations_pending ON confirmations (revision) WHERE state = 'pending';
        CREATE INDEX route_tables_begun ON route_tables (plan, begun_revision) WHERE begun_revision IS NOT NULL;
        """
}
