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

// UUID is the version 5 UUID (RFC 9562) of the kind, identity and version:
// equal for equal records, whoever wrote them.
func (r *Record) UUID() uuid.UUID {
	if r.Original != nil {
		if id, err := uuid.Parse(r.Original.UUID); err == nil {
			return id
		}
		return uuid.NewSHA1(namespace, []byte(r.Original.UUID))
	}
	return uuid.NewSHA1(namespace, []byte(string(r.Kind)+"/"+r.identityPath()+"/"+strconv.FormatInt(r.Version, 10)))
}

// Key is the Kafka key of the record on the audit topic. It begins with the
// topic and a dash, which together choose the partition, so that everything
// about a topic meets in one; it ends with the owner, so that every key has one
// writer whose writes are in order:
//
//	topic/-/kind/window/size/tier/datacenter/cluster/topic id/partition/instance/generation/segment/owner
//
// Each part is escaped as in a URL path; an empty part is written as a dash.
func (r *Record) Key() string {
	return r.keyPath() + "/" + part(r.Owner)
}

// IdentityKey is Key without the owner: equal for all writers of one identity.
func (r *Record) IdentityKey() string { return r.keyPath() }

func (r *Record) keyPath() string {
	if r.Original != nil {
		return part(r.Topic) + "/-/original/" + strconv.FormatInt(r.Start, 10) + "/" + part(r.Original.UUID)
	}
	return part(r.Topic) + "/-/" + string(r.Kind) + "/" + r.identityPath()
}

func (r *Record) identityPath() string {
	i := &r.Identity
	b := make([]byte, 0, 128)
	num := func(n int64) { b = append(strconv.AppendInt(b, n, 10), '/') }
	str := func(s string) { b = append(append(b, part(s)...), '/') }
	num(i.Start)
	num(i.Size)
	str(i.Tier)
	str(i.Datacenter)
	str(i.Cluster)
	str(i.TopicID.String())
	num(int64(i.Partition))
	str(i.Instance)
	num(i.Generation)
	num(i.Segment)
	return string(b[:len(b)-1])
}

// part escapes a string so that it holds no slash and is not empty.
func part(s string) string {
	switch {
	case s == "":
		return "-"
	case s == "-":
		return "%2D"
	case !strings.ContainsAny(s, "/%"):
		return s
	}
	return strings.NewReplacer("%", "%25", "/", "%2F").Replace(s)
}
