package torture

import (
	"reflect"
	"testing"
	"time"
)

func TestAPlanFollowsFromItsSeed(t *testing.T) {
	for seed := range uint64(20) {
		a, b := NewPlan(seed, time.Minute, faults), NewPlan(seed, time.Minute, faults)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d gives two plans", seed)
		}
		if reflect.DeepEqual(a, NewPlan(seed+1000, time.Minute, faults)) {
			t.Fatalf("seeds %d and %d give the same plan", seed, seed+1000)
		}
	}
}

func TestAPlanHasEveryFaultOnceAtLeast(t *testing.T) {
	for _, within := range []time.Duration{time.Second, 45 * time.Second, 10 * time.Minute} {
		times := map[string]int{}
		for l, steps := range NewPlan(3, within, faults) {
			for _, s := range steps {
				times[s.Fault.Name]++
				if s.Fault.lane != lane(l) || s.Hold < s.Fault.least {
					t.Errorf("%s for %s in lane %d", s.Fault.Name, s.Hold, l)
				}
			}
		}
		for _, name := range Names() {
			if times[name] == 0 {
				t.Errorf("%s: %s does not happen", within, name)
			}
		}
	}
}

func TestOptionsSayAllThatIsWrong(t *testing.T) {
	o := Options{Kafka: "rabbit", Nodes: 2, Time: time.Second, Seeds: -1, Only: []string{"flood"}, Binary: "no/such/file"}
	err := o.Check()
	if err == nil {
		t.Fatal("nobody objects")
	}
	if n := len(err.(interface{ Unwrap() []error }).Unwrap()); n != 6 {
		t.Errorf("%d problems, want 6: %v", n, err)
	}
}

func TestTheBoundIsTheRuleOfThree(t *testing.T) {
	if b := Bound(3000); b < 0.00099 || b > 0.00101 {
		t.Errorf("3000 windows: %g, want about 0.001", b)
	}
}
