package counter

import (
	"math"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestKeys(t *testing.T) {
	src := audit.Source{Cluster: "regional", Topic: "orders.v2", TopicID: audit.TopicID{1, 2, 250}, Partition: 11}
	prefix := SourcePrefix(src)
	if prefix != "regional:orders.v2/11/AQL6AAAAAAAAAAAAAAAAAA/" {
		t.Errorf("prefix %q", prefix)
	}
	for want, k := range map[string]Key{
		"0/0/0/a":            {Owner: "a"},
		"2/7/-600/host-1~x":  {Owner: "host-1~x", Generation: 2, Segment: 7, Window: -600},
		"12/L/L":             {Owner: "L", Ledger: true, Generation: 12},
		"0/0/1767225600/2/L": {},
	} {
		if k.Owner == "" {
			if _, err := ParseKey(want); err == nil {
				t.Errorf("%q is read", want)
			}
			continue
		}
		if k.String() != want {
			t.Errorf("%+v is written %q", k, k)
		}
		if back, err := ParseKey(want); err != nil || back != k {
			t.Errorf("%q is read as %+v, %v", want, back, err)
		}
		s, rest, err := ParseSource(prefix + want)
		if err != nil || s != src || rest != want {
			t.Errorf("%q is read as %v and %q, %v", prefix+want, s, rest, err)
		}
	}
	for _, bad := range []string{"", "/", "0/L/", "0/0/0/", "-1/0/0/a", "0/-1/0/a", "00/0/0/a", "+1/L/a", "0/0/x/a", "0/0/9223372036854775808/a", "0/M/a", "a"} {
		if k, err := ParseKey(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, k)
		}
	}
	for _, bad := range []string{"", "c:t/0", "c:t/0/AQL6AAAAAAAAAAAAAAAAAA", "ct/0/AQL6AAAAAAAAAAAAAAAAAA/", "c:/0/AQL6AAAAAAAAAAAAAAAAAA/", ":t/0/AQL6AAAAAAAAAAAAAAAAAA/",
		"c:t/-1/AQL6AAAAAAAAAAAAAAAAAA/", "c:t/01/AQL6AAAAAAAAAAAAAAAAAA/", "c:t/0/AQL6/", "c:t/0/AQL6AAAAAAAAAAAAAAAAAB/", "c:t/4294967296/AQL6AAAAAAAAAAAAAAAAAA/"} {
		if s, rest, err := ParseSource(bad); err == nil {
			t.Errorf("%q is read as %v and %q", bad, s, rest)
		}
	}
}

// FuzzKeys: what is read is written the same.
func FuzzKeys(f *testing.F) {
	prefix := SourcePrefix(audit.Source{Cluster: "c", Topic: "t", Partition: math.MaxInt32})
	f.Add(prefix + Key{Owner: "a", Generation: 1, Segment: 2, Window: -3}.String())
	f.Add(prefix + Key{Owner: "a", Ledger: true}.String())
	f.Add("a/b/c/d")
	f.Fuzz(func(t *testing.T, key string) {
		src, rest, err := ParseSource(key)
		if err != nil {
			rest = key
		} else if SourcePrefix(src)+rest != key {
			t.Fatalf("%q is read as %v and %q", key, src, rest)
		}
		if k, err := ParseKey(rest); err == nil && k.String() != rest {
			t.Fatalf("%q is read as %+v", rest, k)
		}
	})
}
