package clickhouse

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/audit"
)

// A column is one that is filled: its name and type as in migrations/*.sql, and
// what of a record, or of whatever a row is, goes there.
type column[T any] struct {
	name, kind string
	value      func(T) any
}

type recordColumn = column[*audit.Record]

// lowCardinality is for strings of which a part has few different ones.
const lowCardinality = "LowCardinality(String)"

// identityColumns are those of both tables.
var identityColumns = []recordColumn{
	{"topic", lowCardinality, func(r *audit.Record) any { return r.Topic }},
	{"tier", lowCardinality, func(r *audit.Record) any { return r.Tier }},
	{"datacenter", lowCardinality, func(r *audit.Record) any { return r.Datacenter }},
	{"cluster", lowCardinality, func(r *audit.Record) any { return r.Cluster }},
	{"topic_id", lowCardinality, func(r *audit.Record) any { return topicID(r) }},
	{"partition", "Int32", func(r *audit.Record) any { return r.Partition }},
	{"instance", "String", func(r *audit.Record) any { return r.Instance }},
	{"generation", "Int64", func(r *audit.Record) any { return r.Generation }},
	{"segment", "Int64", func(r *audit.Record) any { return r.Segment }},
	{"version", "Int64", func(r *audit.Record) any { return r.Version }},
	{"base", "Int64", func(r *audit.Record) any { return r.Base }},
	{"owner", lowCardinality, func(r *audit.Record) any { return r.Owner }},
	{"host", lowCardinality, func(r *audit.Record) any { return r.Host }},
	{"physical_topic", lowCardinality, func(r *audit.Record) any { return r.Physical }},
	{"attempts", "UInt64", func(r *audit.Record) any { return client(r).Attempts }},
	{"successes", "UInt64", func(r *audit.Record) any { return client(r).Successes }},
	{"failures", "UInt64", func(r *audit.Record) any { return client(r).Failures }},
	{"client_started", "Int64", func(r *audit.Record) any { return client(r).Started }},
	{"client_records", "UInt64", func(r *audit.Record) any { return client(r).Records }},
	{"client_uncounted", "UInt64", func(r *audit.Record) any { return client(r).Uncounted }},
	{"client_every", "Int64", func(r *audit.Record) any { return client(r).Every }},
	{"extra", "String", func(r *audit.Record) any { return extra(r) }},
}

// recordColumns are those of audit_records.
var recordColumns = append(identityColumns[:len(identityColumns):len(identityColumns)], []recordColumn{
	{"window", "DateTime('UTC')", func(r *audit.Record) any { return clampWindow(r.Start) }},
	{"window_start", "Int64", func(r *audit.Record) any { return r.Start }},
	{"window_size", "Int64", func(r *audit.Record) any { return r.Size }},
	{"original", "String", func(r *audit.Record) any { return original(r).UUID }},

	{"messages", "UInt64", func(r *audit.Record) any { return r.Tally.Count }},
	{"bytes", "UInt64", func(r *audit.Record) any { return r.Tally.Bytes }},
	{"no_time", "UInt64", func(r *audit.Record) any { return r.Tally.NoTime }},
	{"malformed", "UInt64", func(r *audit.Record) any { return r.Tally.Malformed }},
	{"out_of_bounds", "UInt64", func(r *audit.Record) any { return r.Tally.OutOfBounds }},
	{"latency_bins", binsType, func(r *audit.Record) any { return bins(&r.Tally.Latency) }},
	{"latency_sum", "UInt64", func(r *audit.Record) any { return r.Tally.Latency.Sum }},
	{"latency_max", "Int64", func(r *audit.Record) any { return r.Tally.Latency.Max }},
	{"negative_latencies", "UInt64", func(r *audit.Record) any { return r.Tally.Latency.Negative }},
	{"negative_latency_max", "Int64", func(r *audit.Record) any { return r.Tally.Latency.NegativeMax }},
	{"fingerprint", "UInt64", func(r *audit.Record) any { return r.Tally.Fingerprint }},
	{"power_sums", "Array(UInt64)", func(r *audit.Record) any { return r.Tally.PowerSums[:] }},
	{"moment_sums", "Array(UInt64)", func(r *audit.Record) any { return r.Tally.Moments[:] }},
	{"fingerprint_mode", lowCardinality, func(r *audit.Record) any { return r.Tally.FingerprintMode }},

	{"first_offset", "Int64", func(r *audit.Record) any { return r.Tally.First }},
	{"last_offset", "Int64", func(r *audit.Record) any { return r.Tally.Last }},
	{"partial", "Bool", func(r *audit.Record) any { return r.Tally.Partial }},
	{"generation_start", "Int64", func(r *audit.Record) any { return r.Tally.GenerationStart }},
	{"codec", lowCardinality, func(r *audit.Record) any { return r.Tally.Codec }},
	{"time_basis", lowCardinality, func(r *audit.Record) any { return r.Tally.TimeBasis }},
	{"latency_basis", lowCardinality, func(r *audit.Record) any { return r.Tally.LatencyBasis }},
	{"digest", lowCardinality, func(r *audit.Record) any { return r.Tally.Digest }},

	{"arrival_measured", "Bool", func(r *audit.Record) any { return r.Tally.Arrival != nil }},
	{"arrival_bins", binsType, func(r *audit.Record) any { return bins(arrival(r)) }},
	{"arrival_sum", "UInt64", func(r *audit.Record) any { return arrival(r).Sum }},
	{"arrival_max", "Int64", func(r *audit.Record) any { return arrival(r).Max }},
	{"negative_arrivals", "UInt64", func(r *audit.Record) any { return arrival(r).Negative }},
	{"negative_arrival_max", "Int64", func(r *audit.Record) any { return arrival(r).NegativeMax }},
	{"sketch", "String", func(r *audit.Record) any { return string(r.Tally.Sketch) }},
	{"sketch_mode", lowCardinality, func(r *audit.Record) any { return r.Tally.SketchMode }},

	{"original_mean_latency", "Nullable(Float64)", func(r *audit.Record) any { return original(r).MeanLatency }},
	{"original_latency95", "Nullable(Float64)", func(r *audit.Record) any { return original(r).Latency95 }},
	{"original_latency99", "Nullable(Float64)", func(r *audit.Record) any { return original(r).Latency99 }},
	{"original_max_latency", "Nullable(Float64)", func(r *audit.Record) any { return original(r).MaxLatency }},
}...)

// eventColumns are those of audit_events.
var eventColumns = append(identityColumns[:len(identityColumns):len(identityColumns)], []recordColumn{
	{"kind", lowCardinality, func(r *audit.Record) any { return string(r.Kind) }},
	{"writer", "String", func(r *audit.Record) any { return writer(r) }},

	{"asked_after", "Int64", func(r *audit.Record) any { return progress(r).AskedAfter }},
	{"partitions", "Int32", func(r *audit.Record) any { return progress(r).Partitions }},
	{"sources.partition", "Array(Int32)", sources(func(p audit.SourceProgress) int32 { return p.Partition })},
	{"sources.generation", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.Generation })},
	{"sources.base", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.Base })},
	{"sources.segment", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.Segment })},
	{"sources.start", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.Start })},
	{"sources.next", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.Next })},
	{"sources.total", "Array(UInt64)", sources(func(p audit.SourceProgress) uint64 { return p.Total })},
	{"sources.time", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.Time })},
	{"sources.log_start", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.LogStart })},
	{"sources.end", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.End })},
	{"sources.high_watermark", "Array(Int64)", sources(func(p audit.SourceProgress) int64 { return p.HighWatermark })},
	{"sources.caught_up", "Array(LowCardinality(String))", sources(func(p audit.SourceProgress) string { return string(p.CaughtUp) })},

	{"missed_from", "Int64", func(r *audit.Record) any { return missed(r).From }},
	{"missed_to", "Int64", func(r *audit.Record) any { return missed(r).To }},
	{"missed_reason", lowCardinality, func(r *audit.Record) any { return string(missed(r).Reason) }},
	{"missed_since", "Int64", func(r *audit.Record) any { return missed(r).Since }},
	{"missed_until", "Int64", func(r *audit.Record) any { return missed(r).Until }},
}...)

// namesAndTypes are what clickhouse-go would otherwise ask the server for with
// every batch over HTTP.
func namesAndTypes[T any](columns []column[T]) (list []driver.ColumnNameAndType) {
	for _, c := range columns {
		list = append(list, driver.ColumnNameAndType{Name: c.name, Type: c.kind})
	}
	return list
}

// The bounds of the column window: what a DateTime can hold, with room above for
// a time to live. Beyond them only window_start is exact.
const (
	firstWindow = 0             // 1970-01-01
	lastWindow  = 3_471_292_799 // 2079-12-31 23:59:59
)

func clampWindow(start int64) time.Time {
	return time.Unix(min(max(start, firstWindow), lastWindow), 0).UTC()
}

const binsType = "Map(Int16, UInt64)"

func bins(l *audit.Latency) map[int16]uint64 {
	m := make(map[int16]uint64, l.Bins.Len())
	for bin, n := range l.Bins.All() {
		m[bin] = n
	}
	return m
}

// topicID is empty where the broker gave none.
func topicID(r *audit.Record) string {
	if r.TopicID == (audit.TopicID{}) {
		return ""
	}
	return r.TopicID.String()
}

// What a record may lack, with its zero for that case.
var (
	noClient   audit.ClientCount
	noOriginal audit.OriginalCount
	noProgress audit.Progress
	noMissed   audit.Missed
	noArrival  audit.Latency
)

func client(r *audit.Record) *audit.ClientCount     { return or(r.Client, &noClient) }
func original(r *audit.Record) *audit.OriginalCount { return or(r.Original, &noOriginal) }
func progress(r *audit.Record) *audit.Progress      { return or(r.Progress, &noProgress) }
func missed(r *audit.Record) *audit.Missed          { return or(r.Missed, &noMissed) }
func arrival(r *audit.Record) *audit.Latency        { return or(r.Tally.Arrival, &noArrival) }

func or[T any](p, zero *T) *T {
	if p == nil {
		return zero
	}
	return p
}

func sources[T any](of func(audit.SourceProgress) T) func(*audit.Record) any {
	return func(r *audit.Record) any {
		list := make([]T, 0, len(progress(r).Sources))
		for _, p := range progress(r).Sources {
			list = append(list, of(p))
		}
		return list
	}
}

// extra is the fields that this version does not know, as a JSON object whose
// keys are sorted; empty where there are none.
func extra(r *audit.Record) string {
	if len(r.Extra) == 0 {
		return ""
	}
	b, err := json.Marshal(r.Extra)
	if err != nil { // not JSON after all: kept for people, as text
		texts := map[string]string{}
		for name, value := range r.Extra {
			texts[name] = string(value)
		}
		b, _ = json.Marshal(texts)
	}
	return string(b)
}

// writer tells events apart whose identity is the same. Progress is per owner,
// whose sequence its version is. Of a kind that is not known all that matters
// may be in the fields that are not known.
func writer(r *audit.Record) string {
	switch r.Kind {
	case audit.KindProgress:
		return r.Owner
	case audit.KindMissed, audit.KindHello, audit.KindGoodbye:
		return ""
	}
	sum := sha256.Sum256([]byte(r.Owner + "\x00" + extra(r)))
	return hex.EncodeToString(sum[:16])
}
