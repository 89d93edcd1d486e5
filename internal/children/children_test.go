//go:build unix

package children

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// shells runs sh instead of chaperone. died gives what ended by itself.
func shells(t *testing.T) (ps *Group, died chan error) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	died = make(chan error, 10)
	ps = New(sh, t.TempDir(), func(err error) { died <- err })
	t.Cleanup(ps.Close)
	return ps, died
}

func mustStart(t *testing.T, ps *Group, name, script string) *Child {
	t.Helper()
	p, err := ps.Start(name, "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var ready = regexp.MustCompile(`ready (\w+)`)

func TestProcessThatEndsByItselfIsReported(t *testing.T) {
	ps, died := shells(t)
	mustStart(t, ps, "count", "echo no disk; exit 3")
	if err := <-died; !strings.Contains(err.Error(), "count ended by itself (exit status 3)") || !strings.Contains(err.Error(), "no disk") {
		t.Errorf("got %v", err)
	}
}

func TestProcessThatIsKilledIsNotReported(t *testing.T) {
	ps, died := shells(t)
	p := mustStart(t, ps, "count", "exec sleep 1000")
	p.Kill()
	q := mustStart(t, ps, "other", "exit 1")
	<-q.Ended
	if err := <-died; !strings.HasPrefix(err.Error(), "other ") {
		t.Errorf("got %v", err)
	}
}

func TestStopWantsStatusZero(t *testing.T) {
	ps, _ := shells(t)
	for script, want := range map[string]string{
		"trap 'exit 0' TERM; echo ready x; while :; do sleep 0.05; done":              "",
		"trap 'echo broken; exit 4' TERM; echo ready x; while :; do sleep 0.05; done": "exit status 4",
	} {
		p := mustStart(t, ps, "count", script)
		if _, err := p.Says(context.Background(), "that it is ready", ready); err != nil {
			t.Fatal(err)
		}
		err := p.Stop()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "broken")) {
			t.Errorf("%s: got %v, want %q", script, err, want)
		}
	}
}

func TestSaysReadsTheOutputOfThisRunOnly(t *testing.T) {
	ps, _ := shells(t)
	for _, word := range []string{"one", "two"} {
		p := mustStart(t, ps, "count", "echo ready "+word+"; exec sleep 1000")
		if got, err := p.Says(context.Background(), "that it is ready", ready); got != word || err != nil {
			t.Errorf("got %q, %v; want %s", got, err, word)
		}
		p.Kill()
	}
}

func TestSaysGivesUpWithTheProcessAndWithTheContext(t *testing.T) {
	ps, _ := shells(t)
	p := mustStart(t, ps, "count", "echo port taken; exit 1")
	if _, err := p.Says(context.Background(), "that it is ready", ready); err == nil || !strings.Contains(err.Error(), "port taken") {
		t.Errorf("got %v", err)
	}
	p = mustStart(t, ps, "other", "exec sleep 1000")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := p.Says(ctx, "that it is ready", ready); err == nil || !strings.Contains(err.Error(), "has not said that it is ready") {
		t.Errorf("got %v", err)
	}
}
