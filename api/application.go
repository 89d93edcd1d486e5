package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
)

// maxRecord bounds key and JSON of a record, in bytes: the collecting processor can store
// little more.
const maxRecord = 900_000

// application decodes a record that an application may report, or says why it may not.
func application(raw []byte) (*audit.Record, string) {
	r, err := audit.Decode(raw)
	var invalid *audit.InvalidError
	switch {
	case errors.As(err, &invalid):
		texts := make([]string, len(invalid.Problems))
		for i, p := range invalid.Problems {
			texts[i] = p.String()
		}
		return nil, shortened(strings.Join(texts, "; "))
	case err != nil:
		return nil, shortened(err.Error())
	}
	if why := foreign(r); why != "" {
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

// foreign says why a record is none of an application instance. Those of counting
// processors come by Kafka only: what they say is what Kafka holds, and here anybody who
// has the address could say it.
func foreign(r *audit.Record) string {
	if r.Original != nil {
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
	case r.Instance == "":
		return "instance: missing"
	case r.Base != 0:
		return "base: only counting processors are asked to count anew; leave it out"
	case r.Progress == nil:
		return ""
	}
	for i, p := range r.Progress.Sources {
		field := fmt.Sprintf("progress.sources[%d].", i)
		switch {
		case p.Partition != audit.NoPartition:
			return field + "partition: only counting processors count partitions; an application says -1"
		case p.Base != 0:
			return field + "base: only counting processors are asked to count anew; leave it out"
		case p.LogStart != -1 || p.End != -1:
			return field + "end: an application has no log; leave end and logStart out"
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
