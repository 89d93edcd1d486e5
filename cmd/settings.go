package cmd

import (
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/config"
)

// settings are the flags that make a configuration, and the environment.
type settings struct {
	program
	file     string
	brokers  []string
	dsn      string
	store    string
	http     string
	logLevel string
	set      []string
}

// configEnv names the configuration file where --config does not.
const configEnv = "CHAPERONE_CONFIG"

// addSettings gives a command the flags of a configuration.
func addSettings(cmd *cobra.Command, p program) *settings {
	s := &settings{program: p}
	d := config.Default()
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&s.file, "config", "c", "", "configuration `file`, also by "+configEnv+" (default: none)")
	f.StringSliceVar(&s.brokers, "brokers", nil, "`host:port,...` of the Kafka cluster to audit, which also holds chaperone's own topics")
	f.StringVar(&s.dsn, "dsn", "", "`address` of ClickHouse, such as clickhouse://user@host:9000 (a password is safer in CHAPERONE_STORE_DSN)")
	f.StringVar(&s.store, "store", "", "where records are kept: clickhouse or memory (default "+d.Store.Kind+")")
	f.StringVar(&s.http, "http", "", "`address` of REST, health and metrics (default "+d.HTTP.Addr+")")
	f.StringVar(&s.logLevel, "log-level", "", "debug, info, warn or error (default "+d.Log.Level+")")
	f.StringArrayVar(&s.set, "set", nil, "any `key=value` of the configuration, such as windows.size=1m; may be repeated")
	return s
}

// load makes the configuration. warnings are for people.
func (s *settings) load() (c config.Config, warnings []string, err error) {
	src := config.Sources{File: s.file, Brokers: s.brokers, Codecs: s.codecs}
	for _, kv := range s.env {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case name == urlEnv: // for commands that ask
		case name != configEnv:
			src.Env = append(src.Env, kv)
		case s.file == "":
			src.File = value
		}
	}
	if s.store == config.Memory {
		src.Set = append(src.Set, "store.dsn=") // of the file: the flag goes before it
	}
	for _, f := range []struct{ key, value string }{
		{"store.dsn", s.dsn}, {"store.kind", s.store}, {"http.addr", s.http}, {"log.level", s.logLevel},
	} {
		if f.value != "" {
			src.Set = append(src.Set, f.key+"="+f.value)
		}
	}
	src.Set = slices.Concat(src.Set, s.set)
	c, ignored, err := config.Load(src)
	for _, name := range ignored {
		warnings = append(warnings, "the environment has "+name+", which names no key of the configuration and is ignored")
	}
	return c, warnings, err
}

// newLog is the log that a configuration asks for.
func newLog(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // the configuration is valid
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
