package count

import (
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

func TestWhatRecordsSayOfATopicThatIsRenamed(t *testing.T) {
	selector, err := codecs.NewSelector(nil, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	subject := func(physical, logical string, id audit.TopicID) *Subject {
		s := &Subject{Extract: selector.For(physical), Identity: audit.Identity{Cluster: "aggregate", Topic: physical, TopicID: id, Window: audit.Window{Size: 600}}}
		s.rename(logical)
		return s
	}
	id := audit.TopicID{7}
	plain, west := subject("orders", "orders", id), subject("west.orders", "orders", id)
	if plain.Physical != "" || plain.Topic != "orders" || plain.TopicID != id {
		t.Errorf("one that is not renamed is %+v", plain)
	}
	if west.Physical != "west.orders" || west.Topic != "orders" || west.TopicID != id {
		t.Errorf("one that is renamed is %+v", west)
	}

	digest := plain.Extract.Digest(10 * time.Minute)
	if plain.under(digest) != digest {
		t.Errorf("the digest of one that is not renamed is %s, want %s as ever", plain.under(digest), digest)
	}
	other := subject("west.orders", "orders-of-west", id)
	if a, b := west.under(digest), other.under(digest); a == digest || b == digest || a == b {
		t.Errorf("digests %s and %s, not renamed %s", a, b, digest)
	}
	for _, s := range []*Subject{plain, west} {
		led := &counter.Ledger{Reading: s.under(digest), Missed: &counter.Gap{}}
		row := s.Row(counter.Key{}, &counter.Row{}, led)
		if row.Tally.Digest != digest || row.Topic != "orders" || row.Physical != s.Physical || s.Missed("o", led).Physical != s.Physical {
			t.Errorf("the record of %s is %+v, %+v", s.Physical, row, row.Tally)
		}
	}

	// A broker that gives no ids.
	west, east, not := subject("west.orders", "orders", audit.TopicID{}), subject("east.orders", "orders", audit.TopicID{}), subject("orders", "orders", audit.TopicID{})
	if west.TopicID == east.TopicID || west.TopicID == (audit.TopicID{}) || not.TopicID != (audit.TopicID{}) {
		t.Errorf("ids %s, %s and %s", west.TopicID, east.TopicID, not.TopicID)
	}
}
