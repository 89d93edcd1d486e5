package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
)

// maxRecord bounds key and JSON of a record, in bytes: the collecting processor can store
// little more.
const maxRecord = 900_000

// maxValues bounds the JSON values of a record, because each takes many times the memory
// of its text while it is decoded. A window that has every bin twice has about 2,500.
const maxValues = 10_000

// maxUnknown bounds the fields of a record that are not known, which are kept one by one.
const maxUnknown = 100

// maxVersion is what a double holds exactly, as which many programs read JSON. A version
// above it would also leave no room for a newer one soon.
const maxVersion = 1 << 53

// application decodes a record that an application may report, or says why it may not.
// kafkaTiers are those of the Kafka clusters.
func application(raw []byte, kafkaTiers []string) (*audit.Record, string) {
	if len(raw) > maxRecord {
		return nil, fmt.Sprintf("it has %d bytes, at most %d can be stored", len(raw), maxRecord)
	}
	if n := values(raw); n > maxValues {
		return nil, fmt.Sprintf("it has more than %d values", maxValues)
	}
	r, err := audit.Decode(raw)
	var invalid *audit.InvalidError
	switch {
	case errors.As(err, &invalid):
		texts := make([]string, len(invalid.Problems))
		for i, p := range invalid.Problems {
			texts[i] = p.String()
		}
		if invalid.More > 0 {
			texts = append(texts, fmt.Sprintf("and %d more", invalid.More))
		}
		return nil, shortened(strings.Join(texts, "; "))
	case err != nil:
		return nil, shortened(err.Error())
	}
	if why := foreign(r, kafkaTiers); why != "" {
		return nil, shortened(why)
	}
	if len(raw) < maxRecord/8 {
		return r, "" // whatever has to be escaped in it
	}
	if size := len(r.Key()) + len(r.AppendJSON(nil)); size > maxRecord {
		return nil, fmt.Sprintf("with its key it has %d bytes, at most %d can be stored", size, maxRecord)
	}
	return r, ""
}

// values is at least the number of values in JSON text, and at most about twice that.
func values(raw []byte) int {
	n, quoted := 1, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++ // whatever it escapes
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '{' || c == '['):
			n++
		}
	}
	return n
}

// foreign says why a record is none of an application instance. Those of counting
// processors come by Kafka only: what they say is what Kafka holds, and here anybody who
// has the address could say it.
func foreign(r *audit.Record, kafkaTiers []string) string {
	switch {
	case slices.Contains(kafkaTiers, r.Tier):
		// It would be added to what Kafka holds.
		return fmt.Sprintf("tier: %q is that of a Kafka cluster, whose messages are counted there; take another name", r.Tier)
	case len(r.Extra) > maxUnknown:
		return fmt.Sprintf("it has %d fields that are not known, at most %d are kept", len(r.Extra), maxUnknown)
	case r.Original != nil:
		return ""
	}
	switch r.Kind {
	case audit.KindWindow, audit.KindProgress, audit.KindHello, audit.KindGoodbye:
	default:
		return fmt.Sprintf("kind: %q is not for applications, which report window, progress, hello and goodbye", r.Kind)
	}
	switch {
	case r.Partition != audit.NoPartition:
		return "partition: only counting processors count partitions; leave it out"
	case r.Physical != "":
		return "physicalTopic: only topics of Kafka clusters are renamed; leave it out"
	case r.Instance == "":
		return "instance: missing"
	case r.Version > maxVersion:
		return fmt.Sprintf("version: %d is above 2^53; number the reports from 1", r.Version)
	case r.Base != 0:
		return "base: only counting processors are asked to count anew; leave it out"
	case r.Progress == nil:
		return ""
	case r.Absent():
		return "progress.sources: empty, which says that a cluster does not have the topic; an application instance is one source"
	case len(r.Progress.Sources) > 1:
		return fmt.Sprintf("progress.sources: an application instance is one source, these are %d", len(r.Progress.Sources))
	}
	for i, p := range r.Progress.Sources {
		field := fmt.Sprintf("progress.sources[%d].", i)
		switch {
		case p.Partition != audit.NoPartition:
			return field + "partition: only counting processors count partitions; an application says -1"
		case p.Base != 0:
			return field + "base: only counting processors are asked to count anew; leave it out"
		case p.LogStart != -1 || p.End != -1 || p.HighWatermark != -1:
			return field + "end: an application has no log; leave end, highWatermark and logStart out"
		}
	}
	return ""
}

// shortened cuts a reason, which may quote what was sent.
func shortened(why string) string {
	const most = 500
	if len(why) <= most {
		return why
	}
	return strings.ToValidUTF8(why[:most], "") + "…"
}
