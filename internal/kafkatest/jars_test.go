package kafkatest

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeMaven is a program named mvn, alone on the path with the shell's tools,
// that writes a jar and notes that it ran.
func fakeMaven(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mvn"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+"/bin"+string(os.PathListSeparator)+"/usr/bin")
}

func TestJarsAreFetchedOnceByWhoComesFirst(t *testing.T) {
	cache := t.TempDir()
	ran := filepath.Join(t.TempDir(), "ran")
	fakeMaven(t, `echo x >> `+ran+`; for a; do case $a in -DoutputDirectory=*) mkdir -p "${a#*=}"; echo jar > "${a#*=}/kafka.jar";; esac; done`)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			libs, err := brokerJars.in(t.Context(), cache, io.Discard)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(libs, "kafka.jar")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if b, _ := os.ReadFile(ran); string(b) != "x\n" {
		t.Errorf("Maven ran %d times, want once", strings.Count(string(b), "x"))
	}
}

func TestAFailedFetchLeavesNothingAndSaysWhy(t *testing.T) {
	cache := t.TempDir()
	fakeMaven(t, `echo cannot reach the repository; exit 1`)
	_, err := brokerJars.in(t.Context(), cache, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "cannot reach the repository") {
		t.Errorf("error is %v, want what Maven says", err)
	}
	left, _ := filepath.Glob(filepath.Join(cache, "kafka-*", "*"))
	more, _ := filepath.Glob(filepath.Join(cache, "*fetching*"))
	if len(left)+len(more) > 0 {
		t.Errorf("left behind: %v %v", left, more)
	}
}

func TestMissingProgramsAreNamedWithTheirPackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	if _, err := brokerJars.in(t.Context(), t.TempDir(), io.Discard); err == nil || !strings.Contains(err.Error(), "apt-get install maven") {
		t.Errorf("without Maven: %v", err)
	}
	if _, err := java(); err == nil || !strings.Contains(err.Error(), "openjdk-17-jre-headless") {
		t.Errorf("without Java: %v", err)
	}
}
