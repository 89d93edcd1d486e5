package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
)

const masked = "***"

// A Secret is a string that no formatting shows: it prints as ***, in logs, JSON
// and YAML too. Convert it to a string to use it.
type Secret string

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// Format takes every verb, or %x would show what %s hides.
func (s Secret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, s.String()) }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(s.String()) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A DSN is the address of a store, which may hold a password: it prints without.
// Convert it to a string to use it.
type DSN string

// parameters that hold secrets, by the name that clickhouse-go gives them.
var secretParameter = regexp.MustCompile(`(?i)([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&]*`)

func (d DSN) String() string {
	if d == "" {
		return ""
	}
	u, err := url.Parse(string(d))
	if err != nil || u.Opaque != "" || u.Host == "" {
		return masked // who knows what is in it
	}
	if _, ok := u.User.Password(); ok {
		u.User = url.UserPassword(u.User.Username(), "xxx")
	}
	u.RawQuery = secretParameter.ReplaceAllString("?"+u.RawQuery, "${1}xxx")[1:]
	return u.String()
}

func (d DSN) Format(f fmt.State, _ rune)   { fmt.Fprint(f, d.String()) }
func (d DSN) LogValue() slog.Value         { return slog.StringValue(d.String()) }
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
