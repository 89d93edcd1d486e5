package table

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
)

// KindOriginal is the kind, in identities, of window records of the original
// Chaperone.
const KindOriginal audit.Kind = "original"

// KindVerdict and KindStanding are the kinds of what the judge has said: entries that
// are no records.
const (
	KindVerdict  audit.Kind = "verdict"
	KindStanding audit.Kind = "standing"
)

// Judged says whether an identity, or a key, is that of what the judge has said.
func Judged(identity string) bool {
	for range 2 {
		_, rest, ok := strings.Cut(identity, "/")
		if !ok {
			return false
		}
		identity = rest
	}
	return strings.HasPrefix(identity, string(KindVerdict)+"/") || identity == string(KindStanding) || strings.HasPrefix(identity, string(KindStanding)+"/")
}

// An Identity is a record's IdentityKey, taken apart as far as it says something
// of the record without decoding it.
type Identity struct {
	Kind audit.Kind // or KindOriginal
	// Identity is whole but for originals, of which Topic and Window.Start are set.
	audit.Identity
}

// ParseIdentity reads what audit's IdentityKey writes.
func ParseIdentity(s string) (id Identity, err error) {
	f := strings.Split(s, "/")
	bad := func(what string) (Identity, error) {
		return Identity{}, fmt.Errorf("collect table: identity %q: %s", s, what)
	}
	if len(f) < 5 || f[1] != "-" {
		return bad("want topic/-/kind/window/…")
	}
	id.Topic, id.Kind = unescape(f[0]), audit.Kind(unescape(f[2]))
	num := func(i, bits int) int64 {
		n, e := strconv.ParseInt(f[i], 10, bits)
		if e != nil && err == nil {
			err = fmt.Errorf("collect table: identity %q: %w", s, e)
		}
		return n
	}
	id.Start = num(3, 64)
	if id.Kind == KindOriginal {
		id.Partition = audit.NoPartition
		return id, err
	}
	if len(f) < 13 {
		return bad("it has too few parts")
	}
	id.Size = num(4, 64)
	id.Tier, id.Datacenter, id.Cluster = unescape(f[5]), unescape(f[6]), unescape(f[7])
	topicID, e := audit.ParseTopicID(unescape(f[8]))
	if e != nil {
		return bad(e.Error())
	}
	id.TopicID = topicID
	id.Partition, id.Instance = int32(num(9, 32)), unescape(f[10])
	id.Generation, id.Segment = num(11, 64), num(12, 64)
	return id, err
}

// unescape is the inverse of how audit writes a part of a key.
func unescape(part string) string {
	switch {
	case part == "-":
		return ""
	case part == "%2D":
		return "-"
	case strings.IndexByte(part, '%') >= 0:
		return unescaper.Replace(part)
	}
	return part
}

var unescaper = strings.NewReplacer("%2F", "/", "%25", "%")
