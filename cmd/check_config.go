package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/config"
)

func newCheckConfig(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Say whether a configuration is right, or show the defaults",
		Long: `Reads the configuration as the other commands do, from file, environment and flags,
and says all that is wrong with it, or in short what it means. It connects nowhere.`,
		Example: `  chaperone check-config --config chaperone.yml
  chaperone check-config --defaults > chaperone.yml`,
		Args: noArgs,
	}
	s := addSettings(cmd, p)
	defaults := cmd.Flags().Bool("defaults", false, "print every key with its default and what it means, and check nothing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *defaults {
			_, err := io.WriteString(cmd.OutOrStdout(), config.Annotated)
			return err
		}
		c, warnings, err := s.load()
		for _, w := range warnings {
			fmt.Fprintf(cmd.ErrOrStderr(), "chaperone: %s\n", w)
		}
		if err != nil {
			return err
		}
		_, err = io.WriteString(cmd.OutOrStdout(), summary(&c))
		return err
	}
	return cmd
}

// summary is what a configuration means, in short.
func summary(c *config.Config) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-9s "+format+"\n", append([]any{name}, args...)...)
	}
	b.WriteString("OK\n")
	for _, cluster := range c.Clusters {
		place := "tier " + cluster.Tier
		if cluster.Datacenter != "" {
			place += ", datacenter " + cluster.Datacenter
		}
		line("cluster", "%s: %s; %s", cluster.Name, place, connection(cluster.Kafka))
	}
	a := c.AuditCluster()
	line("audit", "%s; topics %s-*, %d shards, %d partitions", connection(a.Kafka), a.Prefix, a.Shards, a.Partitions)
	line("topics", "include %s; exclude %s; from %s", strings.Join(c.Topics.Include, " "), orNone(strings.Join(c.Topics.Exclude, " ")), c.Topics.Start)
	for _, r := range c.Codecs {
		from := ""
		if r.From != "" {
			from = ", from " + string(r.From)
		}
		line("codec", "%s: %s%s", r.Topics, strings.Join(r.Codec, ", "), from)
	}
	for _, r := range c.SchemaRegistries {
		line("schemas", "%s: %s", r.Name, r.Place())
	}
	line("windows", "%s", c.Windows.Size)
	switch {
	case c.EmbeddedClickHouse():
		line("store", "embedded ClickHouse (standalone only), database %s", c.Store.Database)
	case c.Store.Kind == config.Memory:
		line("store", "memory: gone when the process ends")
	default:
		line("store", "%s, database %s", c.Store.DSN, c.Store.Database)
	}
	if c.Memory.Limit != 0 {
		line("memory", "at most %s", c.Memory.Limit)
	}
	line("http", "%s", c.HTTP.Addr)
	return b.String()
}

func connection(k config.Kafka) string {
	if len(k.Brokers) == 0 {
		return "embedded broker (standalone only)"
	}
	s := strings.Join(k.Brokers, ",")
	if k.TLS.Enabled {
		s += ", TLS"
	}
	if k.SASL.Mechanism != "" {
		s += ", " + k.SASL.Mechanism + " as " + k.SASL.User
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
