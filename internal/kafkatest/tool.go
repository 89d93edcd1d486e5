package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The console tools that tests use. Any other main class serves as well.
const (
	TopicCommand         = "org.apache.kafka.tools.TopicCommand"
	ConsoleProducer      = "org.apache.kafka.tools.ConsoleProducer"
	ConsoleConsumer      = "org.apache.kafka.tools.consumer.ConsoleConsumer"
	GetOffsetShell       = "org.apache.kafka.tools.GetOffsetShell"
	ConsumerGroupCommand = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
	DeleteRecordsCommand = "org.apache.kafka.tools.DeleteRecordsCommand"
)

// Tool runs one of Apache Kafka's own tools against the cluster, whose address
// it adds if args have none, and gives what it wrote to standard output. The
// context ends it. A tool that fails is an error with what it wrote to standard
// error; one that complains and exits with 0 is not.
func (c *Cluster) Tool(ctx context.Context, class string, args []string, stdin io.Reader) (stdout string, err error) {
	java, err := java()
	if err != nil {
		return "", err
	}
	libs, err := Jars(ctx, nil)
	if err != nil {
		return "", err
	}
	if !slices.Contains(args, "--bootstrap-server") {
		args = append([]string{"--bootstrap-server", strings.Join(c.Brokers(), ",")}, args...)
	}
	args = append([]string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", filepath.Join(libs, "*"), class}, args...)
	cmd := exec.CommandContext(ctx, java, args...)
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = childAttr()
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("run %s: %w\n%s", class, errors.Join(err, ctx.Err()), complaints.Bytes())
	}
	return out.String(), nil
}
