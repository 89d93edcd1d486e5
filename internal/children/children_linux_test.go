package children

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const dieEnv = "CHAPERONE_CHILDREN_TEST_PARENT"

// TestMain is also the parent that TestChildrenDieWithTheProgram kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(dieEnv); dir != "" {
		p, err := New("sleep", dir, func(error) {}).Start("child", "1000")
		if err != nil {
			panic(err)
		}
		fmt.Println(p.PID())
		select {}
	}
	os.Exit(m.Run())
}

func TestChildrenDieWithTheProgram(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), dieEnv+"="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err == nil {
		err = parent.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, err2 := strconv.Atoi(strings.TrimSpace(line))
	parent.Process.Kill()
	parent.Wait()
	if err != nil || err2 != nil {
		t.Fatalf("the parent said %q: %v, %v", line, err, err2)
	}
	deadline := time.Now().Add(time.Minute)
	for alive(pid) {
		if time.Now().After(deadline) {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the child lives on")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alive says whether a process runs; one that nobody has waited for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
