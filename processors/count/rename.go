package count

import (
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
)

// Replication may give a topic another name, such as west.orders for the orders of
// west. Records speak of it by its logical name, so that all that is said of a topic
// meets in one partition of the audit topic, and tiers can be compared.

// rename makes the logical name that of the records. Where the broker gives no topic
// ids, topics that are then called the same get ids by their names on the cluster.
func (s *Subject) rename(logical string) {
	if logical == s.Topic {
		return
	}
	s.Physical, s.Topic = s.Topic, logical
	if s.TopicID == (audit.TopicID{}) {
		s.TopicID = audit.NamedTopicID(s.Physical)
	}
}

// under is a digest as ledgers have it. Under another name the records are of another
// identity, to which nothing counted so far belongs: a generation must begin. The
// digest in records stays that of the reading, by which tiers are compared.
func (s *Subject) under(digest string) string {
	if s.Physical == "" {
		return digest
	}
	return digest + renamed + s.Topic
}

// reading is the digest without the name.
func reading(digest string) string {
	digest, _, _ = strings.Cut(digest, renamed)
	return digest
}

// renamed is in no digest.
const renamed = "="
