package query

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestLatenessOfATierIsThatOfAllItsMessages(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	var rows []Row
	within, all := 0, 0
	for range 20 {
		r := Row{Tier: "core"}
		for range 500 {
			ms := rng.Int64N(4000)
			if r.Arrival.Add(ms); ms <= 2000 {
				within++
			}
			all++
			r.Latency.Add(10)
		}
		rows = append(rows, r, Row{Tier: "edge", Tally: audit.Tally{}})
	}
	list := Lateness(rows, []string{"edge"})
	if len(list) != 2 || list[0].Tier != "edge" || list[0].Curve != nil || list[1].Arrival.Count() != uint64(all) || list[1].Recorded.Max != 10 {
		t.Fatalf("%+v", list)
	}
	for _, a := range list[1].Curve {
		if want := float64(within) / float64(all); a.After == 2*time.Second && (a.Share < want-0.02 || a.Share > want+0.02) {
			t.Errorf("within 2 s came %.3f, were %.3f", a.Share, want)
		}
	}
	last := list[1].Graces[len(list[1].Graces)-1]
	if last.Share != 1 || last.Wait < 3900*time.Millisecond || last.Wait > 4*time.Second {
		t.Errorf("to have all one has to wait %s", last.Wait)
	}
}
