package kafkatest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// CacheDir is where what is fetched once is kept: $CHAPERONE_CACHE, or else
// "chaperone" in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("CHAPERONE_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder: %w; set CHAPERONE_CACHE to a folder that you may write to", err)
	}
	return filepath.Join(dir, "chaperone"), nil
}

// pom names what a broker and its console tools need at run time; Maven finds
// the rest. slf4j-simple makes logs readable.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>chaperone</groupId><artifactId>kafkatest</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + Version + `</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>` + Version + `</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

// mirrorPom names what MirrorMaker 2 needs.
const mirrorPom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>chaperone</groupId><artifactId>kafkatest-mirror</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-mirror</artifactId><version>` + Version + `</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId><version>` + Version + `</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

// A bundle is a set of jars that is fetched once.
type bundle struct {
	name string // of its folder in the cache
	what string // for people
	size string
	pom  string
}

var (
	brokerJars = bundle{"kafka-" + Version, "Apache Kafka " + Version, "55 MB", pom}
	mirrorJars = bundle{"kafka-mirror-" + Version, "MirrorMaker 2 of Apache Kafka " + Version, "35 MB", mirrorPom}
)

// Jars gives the folder with the jars of Apache Kafka, which it fetches if this
// machine has none. Processes that ask at the same time wait for one of them.
// Progress is told in lines; nil tells standard error.
func Jars(ctx context.Context, progress io.Writer) (libs string, err error) {
	return brokerJars.get(ctx, progress)
}

func (b bundle) get(ctx context.Context, progress io.Writer) (libs string, err error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	return b.in(ctx, cache, progress)
}

func (b bundle) in(ctx context.Context, cache string, progress io.Writer) (libs string, err error) {
	home := filepath.Join(cache, b.name)
	libs = filepath.Join(home, "libs")
	if _, err := os.Stat(libs); err == nil {
		return libs, nil // it appears by a rename, so it is whole
	}
	if progress == nil {
		progress = os.Stderr
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w; install Maven (on Debian: apt-get install maven), or put the jars into %s", b.what, err, libs)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make cache folder: %w; set CHAPERONE_CACHE to a folder that you may write to", err)
	}
	unlock, err := lockFile(ctx, home+".lock")
	if err != nil {
		return "", fmt.Errorf("wait for another process that fetches %s: %w", b.what, err)
	}
	defer unlock()
	if _, err := os.Stat(libs); err == nil {
		return libs, nil // the other process has fetched it
	}
	tmp, err := os.MkdirTemp(cache, b.name+"-fetching-")
	if err != nil {
		return "", fmt.Errorf("make folder for jars: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := os.WriteFile(filepath.Join(tmp, "pom.xml"), []byte(b.pom), 0o644); err != nil {
		return "", fmt.Errorf("write pom: %w", err)
	}
	started := time.Now()
	fmt.Fprintf(progress, "fetching %s by Maven into %s (%s, once)\n", b.what, home, b.size)
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(tmp, "libs"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = tmp, &out, &out
	cmd.WaitDelay = 5 * time.Second
	stop := every(10*time.Second, func() {
		fmt.Fprintf(progress, "still fetching %s, %s so far\n", b.what, time.Since(started).Round(time.Second))
	})
	err = cmd.Run()
	stop()
	if err != nil {
		return "", fmt.Errorf("fetch %s by Maven: %w; is there a network, and a mirror in ~/.m2/settings.xml if you need one? Maven says:\n%s", b.what, err, out.Bytes())
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	if err := os.Rename(filepath.Join(tmp, "libs"), libs); err != nil {
		return "", fmt.Errorf("put jars in place: %w", err)
	}
	fmt.Fprintf(progress, "%s is here after %s\n", b.what, time.Since(started).Round(time.Second))
	return libs, nil
}

// every calls f at intervals until stop is called.
func every(d time.Duration, f func()) (stop func()) {
	done := make(chan struct{})
	t := time.NewTicker(d)
	go func() {
		defer t.Stop()
		for {
			select {
			case <-t.C:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// java finds the Java runtime.
func java() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if path, err := exec.LookPath(filepath.Join(home, "bin", "java")); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("run Apache Kafka: %w; install Java 17 or later (on Debian: apt-get install openjdk-17-jre-headless)", err)
	}
	return path, nil
}
