package query

import (
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Progress says who counts a source, and how far: the newest word about it.
type Progress struct {
	Tier, Datacenter string
	Source           audit.Source
	Owner            string // session of the instance that counts it
	Host             string
	Partitions       int32     // that the topic has
	AsOf             time.Time // when that was said, by the audit cluster
	audit.SourceProgress
}

// A Missed says which range of a source nobody can count any more.
type Missed struct {
	Tier, Datacenter string
	Source           audit.Source
	Generation       int64     // that begins after the range
	AsOf             time.Time // when that was said, by the audit cluster
	audit.Missed
}
