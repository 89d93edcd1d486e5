package clickhouse

// Columns are the names and types that Write fills, per table.
func Columns() map[string]map[string]string {
	all := map[string]map[string]string{}
	for table, columns := range map[string][]column{"audit_records": recordColumns, "audit_events": eventColumns} {
		all[table] = map[string]string{}
		for _, c := range columns {
			all[table][c.name] = c.kind
		}
	}
	return all
}

// Spares says whether inserts ask for room to spare on ClickHouse's disk.
func (s *Sink) Spares() bool { return s.spares }
