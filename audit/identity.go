package audit

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// A TopicID is Kafka's own identifier of a topic (KIP-516). A topic that is
// deleted and made again under the same name has another. Zero where the
// broker is too old to give one.
type TopicID [16]byte

// String is Kafka's spelling: URL-safe base64 without padding, 22 characters.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseTopicID reads what String writes.
func ParseTopicID(s string) (id TopicID, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("topic id %q: want 22 characters of URL-safe base64", s)
	}
	copy(id[:], b)
	return id, nil
}

// NamedTopicID stands for the id of a topic that is renamed, where the broker gives
// none: the version 5 UUID of "topic/" and the name that it has on its cluster. Topics
// that become one by their names are kept apart by it; one that is made again is not.
func NamedTopicID(physical string) TopicID {
	return TopicID(uuid.NewSHA1(namespace, []byte("topic/"+physical)))
}

// A Source is one partition of one incarnation of a topic on one cluster.
type Source struct {
	Cluster   string
	Topic     string
	TopicID   TopicID
	Partition int32
}

func (s Source) String() string { return fmt.Sprintf("%s:%s/%d", s.Cluster, s.Topic, s.Partition) }

// NoPartition stands for the partition where the source is an application
// instance and not a Kafka partition.
const NoPartition int32 = -1

// An Identity names the thing that a Record says something about. Two Records
// with the same Identity describe the same count at two moments. Who wrote a
// Record (its Owner, its Host) is no part of it.
type Identity struct {
	Tier       string
	Datacenter string
	Cluster    string
	Topic      string
	TopicID    TopicID
	Partition  int32  // NoPartition for an application instance
	Instance   string // the application instance; empty for a Kafka partition
	Window            // zero for kinds other than KindWindow
	Generation int64  // one counting of a source from its start
	Segment    int64  // a run of the source's log with a bounded number of windows
}

// Source is the partition that the Identity belongs to.
func (i *Identity) Source() Source {
	return Source{Cluster: i.Cluster, Topic: i.Topic, TopicID: i.TopicID, Partition: i.Partition}
}

// namespace of our UUIDs: a version 5 UUID of "chaperone audit record" in the
// URL namespace, fixed for ever.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("chaperone audit record"))

// UUID is the version 5 UUID (RFC 9562) of IdentityKey, a slash and the
// Version: equal for equal records, whoever wrote them. A record of the
// original keeps its own.
func (r *Record) UUID() uuid.UUID {
	if r.Original != nil {
		if id, err := uuid.Parse(r.Original.UUID); err == nil {
			return id
		}
		return uuid.NewSHA1(namespace, []byte(r.Original.UUID))
	}
	name := append(r.appendIdentityKey(make([]byte, 0, 192)), '/')
	return uuid.NewSHA1(namespace, strconv.AppendInt(name, r.Version, 10))
}

// Key is the Kafka key of the record on the audit topic. It begins with the
// topic and a dash, which together choose the partition, so that everything
// about a topic meets in one; it ends with the owner, so that every key has one
// writer whose writes are in order:
//
//	topic/-/kind/window/size/tier/datacenter/cluster/topic id/partition/instance/generation/segment/owner
//	topic/-/original/window/uuid/owner
//
// In each part % is written %25 and / is written %2F; an empty part is a dash,
// and a part that is a dash is %2D. The window is its start; times and sizes
// are in seconds.
func (r *Record) Key() string {
	b := r.appendPath(make([]byte, 0, 192))
	return string(appendPart(append(b, '/'), r.Owner))
}

// IdentityKey is Key without the owner: equal for all writers of one identity.
// A progress record keeps its owner even here, because its Version is a
// sequence of that owner: those of two owners cannot be compared.
func (r *Record) IdentityKey() string {
	return string(r.appendIdentityKey(make([]byte, 0, 192)))
}

func (r *Record) appendIdentityKey(b []byte) []byte {
	b = r.appendPath(b)
	if r.Kind == KindProgress {
		b = appendPart(append(b, '/'), r.Owner)
	}
	return b
}

// appendPath appends what Key and IdentityKey have in common.
func (r *Record) appendPath(b []byte) []byte {
	num := func(n int64) { b = strconv.AppendInt(append(b, '/'), n, 10) }
	str := func(s string) { b = appendPart(append(b, '/'), s) }
	b = append(appendPart(b, r.Topic), "/-"...)
	if r.Original != nil {
		str("original")
		num(r.Start)
		str(r.Original.UUID)
		return b
	}
	str(string(r.Kind))
	num(r.Start)
	num(r.Size)
	str(r.Tier)
	str(r.Datacenter)
	str(r.Cluster)
	str(r.TopicID.String())
	num(int64(r.Partition))
	str(r.Instance)
	num(r.Generation)
	num(r.Segment)
	return b
}

// appendPart appends a string so that it holds no slash and is not empty.
func appendPart(b []byte, s string) []byte {
	switch {
	case s == "":
		return append(b, '-')
	case s == "-":
		return append(b, "%2D"...)
	case strings.ContainsAny(s, "/%"):
		s = partEscaper.Replace(s)
	}
	return append(b, s...)
}

var partEscaper = strings.NewReplacer("%", "%25", "/", "%2F")
