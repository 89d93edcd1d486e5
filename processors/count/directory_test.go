package count

import (
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

// The shard of a topic that is not there is that of its first partition when it comes.
func TestTheTopicIdIsNotPartOfTheShard(t *testing.T) {
	for _, topic := range []string{"orders", "a", "west.orders", "p-1"} {
		one, other := audit.Source{Cluster: "c", Topic: topic}, audit.Source{Cluster: "c", Topic: topic, TopicID: audit.TopicID{1, 2, 3}}
		if shardOf(one, 64) != shardOf(other, 64) {
			t.Errorf("%s: shards %d and %d", topic, shardOf(one, 64), shardOf(other, 64))
		}
	}
}

func TestAbsencesAreThoseThatAreDoubtfulAndProven(t *testing.T) {
	at := time.Unix(100, 0)
	for _, x := range []struct {
		name   string
		lists  string // of the other cluster
		here   string // what this one lists; in brackets what it could not describe
		missed string
		proven string
		want   string
	}{
		{"nothing is known", "", "", "", "", ""},
		{"another one has it", "orders", "clicks", "", "orders", "orders"},
		{"it was counted here", "", "clicks", "orders", "orders", "orders"},
		{"it was counted here once, by another instance", "", "clicks", "", "orders", ""},
		{"it has come since it was asked for", "orders", "orders", "orders", "orders", ""},
		{"it has come, and cannot be described yet", "orders", "(orders)", "", "orders", ""},
		{"the cluster did not say that there is none", "orders", "", "orders", "", ""},
		{"the other one cannot describe it yet", "(orders)", "", "", "orders", "orders"},
	} {
		d := newDirectory(1, slog.New(slog.NewTextHandler(io.Discard, nil)))
		listing := func(text string) map[string]listedTopic {
			found := map[string]listedTopic{}
			for _, name := range strings.Fields(text) {
				plain := strings.Trim(name, "()")
				found[plain] = listedTopic{Logical: plain, Partitions: 1, Unsure: plain != name}
			}
			return found
		}
		d.update("other", listing(x.lists), at)
		d.update("here", listing(x.here), at.Add(time.Second))
		p := proof{asked: at}
		for _, topic := range strings.Fields(x.proven) {
			p.absent = append(p.absent, absence{"here", topic, topic})
		}
		d.proofs["here"] = p
		missed := map[absence]bool{}
		for _, topic := range strings.Fields(x.missed) {
			missed[absence{"here", topic, topic}] = true
		}
		found := d.absent(missed)
		var got []string
		for _, a := range slices.Collect(maps.Keys(found)) {
			if a.cluster != "here" || !found[a].Equal(at) {
				t.Errorf("%s: %v, asked at %s", x.name, a, found[a])
			}
			got = append(got, a.topic)
		}
		if text := strings.Join(got, " "); text != x.want {
			t.Errorf("%s: absent are %q, want %q", x.name, text, x.want)
		}
	}
}
