package query

import (
	"math"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Progress says who counts a source, and how far: the newest word about it.
type Progress struct {
	Tier, Datacenter string
	Source           audit.Source
	Physical         string // name of the topic on the cluster, if it is renamed
	Owner            string // session of the instance that counts it
	Host             string
	Partitions       int32     // that the topic has
	AsOf             time.Time // when that was said, by the audit cluster
	audit.SourceProgress
}

// An Instance is a process that counts messages as they pass: a source of a tier that
// is no Kafka cluster.
type Instance struct {
	Tier, Datacenter, Topic string
	Instance                string
	Host                    string
	AsOf                    time.Time // when it last said something, by the audit cluster
	Ended                   bool      // it has said goodbye
	audit.ClientCount                 // in all windows, as of then
}

// A State says whether an Instance can still count.
type State string

// The states of an instance. One that is silent has vanished or cannot report: what it
// has counted since it last spoke is unknown.
const (
	Running State = "running"
	Ended   State = "ended"
	Silent  State = "silent"
)

// State is that of the instance at a moment by the audit cluster's clock, or one that
// is about right: it has missed two turns to say something before it is called silent.
// One that has not said how long it may be silent is running until it says goodbye.
func (i *Instance) State(now time.Time) State {
	const longest = math.MaxInt64 / 3 / int64(time.Millisecond) // three times as long is still a Duration
	switch every := time.Duration(min(max(i.Every, 0), longest)) * time.Millisecond; {
	case i.Ended:
		return Ended
	case every > 0 && now.Sub(i.AsOf) > 3*every:
		return Silent
	}
	return Running
}

// A Missed says which range of a source nobody can count any more.
type Missed struct {
	Tier, Datacenter string
	Source           audit.Source
	Generation       int64     // that begins after the range
	AsOf             time.Time // when that was said, by the audit cluster
	audit.Missed
}
