package audit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// doomed says that this process is the one that gets killed, and where it notes what
// it has counted: a byte for each message.
const doomed = "CHAPERONE_AUDIT_DOOMED"

func TestMain(m *testing.M) {
	if file := os.Getenv(doomed); file != "" {
		if err := countUntilKilled(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const killedEvery = 200 * time.Millisecond

func countUntilKilled(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	r, err := NewRecorder(Options{Tier: "edge", Reporter: WriteTo(os.Stdout), Every: killedEvery, Fingerprint: NoFingerprint})
	if err != nil {
		return err
	}
	for {
		r.Topic("orders").Track(&Passage{Time: time.Now().UnixMilli()})
		if _, err := f.Write([]byte{1}); err != nil {
			return err
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// A process that is killed loses no more than what it has counted since its last
// report. It says no goodbye, and claims nothing that it has not reported.
func TestAKilledProcessLosesAtMostTheInterval(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "counted")
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), doomed+"="+file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	counted := func() int64 {
		if info, err := os.Stat(file); err == nil {
			return info.Size()
		}
		return 0
	}
	// What was counted before the last report, at the latest, is what is noted when two
	// reports have come after it.
	best, claimed := map[string]*Record{}, uint64(0)
	reports, settled := 0, int64(0)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rec, err := Decode(lines.Bytes())
		if err != nil {
			if reports > 10 {
				break // the line at which it was killed
			}
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		switch rec.Kind {
		case KindGoodbye:
			t.Error("it has said goodbye")
		case KindProgress:
			claimed = rec.Progress.Sources[0].Total
		case KindWindow:
			best[rec.IdentityKey()] = rec
		}
		if rec.Kind != KindWindow {
			continue
		}
		if reports++; reports == 8 {
			settled = counted()
		}
		if reports == 11 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	var reported uint64
	for _, rec := range best {
		reported += rec.Tally.Count
	}
	all := counted()
	if settled == 0 || reported < uint64(settled) || reported > uint64(all)+1 || claimed > reported {
		t.Errorf("%d messages were counted, %d of them two reports before the end; %d are reported, and %d claimed", all, settled, reported, claimed)
	}
	if context.Cause(t.Context()) != nil {
		t.Error("the test took too long")
	}
}
