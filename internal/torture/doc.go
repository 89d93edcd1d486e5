// Package torture breaks a running chaperone on purpose, and checks every count.
//
// It starts Kafka, ClickHouse and chaperone's processes, writes messages that it
// remembers one by one, and meanwhile carries out a Plan: a schedule of [Fault]s
// that follows from a seed. Then everything is made whole again, and what
// chaperone says must become what was written, and stay so:
//
//	seed ──► Plan ──► faults ─────────────────┐
//	                                          ▼
//	traffic ──► source clusters ──► count ──► audit cluster ──► collect ──► table ──► view, REST
//	   │                                                 └────► sink ─────► ClickHouse
//	   ▼                                                           │
//	truth ── every message by offset ──► what must be there ──► check ──► wrong windows
//
// Four readers are compared with the truth, field by field: the collect table,
// a goka view, ClickHouse and REST. Beside that every record that was ever on the
// audit topic, whoever wrote it, has to obey the law of package counter: its
// content is what the log says up to its version.
//
// What may be lost is bounded instead: what retention deleted, what an unclean
// election cut off. There chaperone must say so, and must not count too much.
package torture
