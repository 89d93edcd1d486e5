package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/alerts/notify"
	"github.com/chaperone-audit/chaperone/alerts/notify/alertmanager"
	"github.com/chaperone-audit/chaperone/alerts/notify/email"
	"github.com/chaperone-audit/chaperone/alerts/notify/pagerduty"
	"github.com/chaperone-audit/chaperone/alerts/notify/shoutrrr"
	"github.com/chaperone-audit/chaperone/alerts/notify/slack"
	"github.com/chaperone-audit/chaperone/alerts/notify/webhook"
)

// A Notifier is somebody who is told of alerts. Its kind says which of the keys it has.
type Notifier struct {
	Name         string        `yaml:"name"`
	Kind         string        `yaml:"kind"`
	URL          Secret        `yaml:"url"`
	URLFile      string        `yaml:"url_file"`
	Key          Secret        `yaml:"key"`
	KeyFile      string        `yaml:"key_file"`
	Token        Secret        `yaml:"token"`
	TokenFile    string        `yaml:"token_file"`
	User         string        `yaml:"user"`
	Password     Secret        `yaml:"password"`
	PasswordFile string        `yaml:"password_file"`
	Server       string        `yaml:"server"`
	Security     string        `yaml:"security"`
	From         string        `yaml:"from"`
	To           []string      `yaml:"to"`
	TLS          TLS           `yaml:"tls"`
	Timeout      time.Duration `yaml:"timeout"`
}

// Kinds of notifiers, and the keys of each beside name, kind and timeout.
var notifierKeys = map[string][]string{
	"webhook":      {"url", "token", "user", "password", "tls"},
	"alertmanager": {"url", "token", "user", "password", "tls"},
	"pagerduty":    {"url", "key", "tls"},
	"slack":        {"url", "tls"},
	"email":        {"server", "security", "user", "password", "from", "to", "tls"},
	"shoutrrr":     {"url"},
}

// Notifiers makes those that there are, by name, without connecting. Its error joins
// everything that is wrong, each with its key in front.
func (c *Config) Notifiers() (map[string]notify.Notifier, error) {
	all := map[string]notify.Notifier{}
	var wrong []error
	for i := range c.Alerts.Notifiers {
		n := &c.Alerts.Notifiers[i]
		add := func(err error) { wrong = append(wrong, fmt.Errorf("notifiers[%d].%w", i, err)) }
		if !nameChars.MatchString(n.Name) {
			add(fmt.Errorf("name: %q must be letters, digits, '.', '_' and '-'", n.Name))
		} else if _, ok := all[n.Name]; ok {
			add(fmt.Errorf("name: %q is the name of another notifier too", n.Name))
		}
		made, err := n.open()
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range joined.Unwrap() {
				add(err)
			}
		} else if err != nil {
			add(err)
		}
		all[n.Name] = made
	}
	return all, errors.Join(wrong...)
}

func (n *Notifier) open() (notify.Notifier, error) {
	keys, ok := notifierKeys[n.Kind]
	if !ok {
		return nil, fmt.Errorf("kind: %q must be one of %s", n.Kind, strings.Join(slices.Sorted(maps.Keys(notifierKeys)), ", "))
	}
	wrong := n.strangers(keys)
	secretOf := func(key string, value Secret, file string) string {
		s, err := secret(key, value, file)
		if err != nil {
			wrong = append(wrong, err)
		}
		return s
	}
	address, key, token, password := secretOf("url", n.URL, n.URLFile), secretOf("key", n.Key, n.KeyFile), secretOf("token", n.Token, n.TokenFile), secretOf("password", n.Password, n.PasswordFile)
	if token != "" && n.User != "" {
		wrong = append(wrong, errors.New("token: is given, and user too; leave one out"))
	}
	tls, err := n.TLS.client()
	if err != nil {
		wrong = append(wrong, err)
	}
	if !n.TLS.Enabled && n.TLS != (TLS{}) {
		wrong = append(wrong, errors.New("tls.enabled: is false although other keys of tls are set"))
	}
	if n.Timeout != 0 && (n.Timeout < 100*time.Millisecond || n.Timeout > 40*time.Second) {
		wrong = append(wrong, fmt.Errorf("timeout: %s must be at least 100ms and at most 40s", n.Timeout))
	}
	if n.Kind == "pagerduty" && key == "" {
		wrong = append(wrong, errors.New("key: is empty; give the integration key of a service, or a key_file"))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	post := notify.HTTP{URL: address, Token: token, User: n.User, Password: password, TLS: tls, Timeout: n.Timeout}
	var made notify.Notifier
	switch n.Kind {
	case "webhook":
		made, err = webhook.New(post)
	case "alertmanager":
		made, err = alertmanager.New(post)
	case "pagerduty":
		made, err = pagerduty.New(post, key)
	case "slack":
		made, err = slack.New(post)
	case "shoutrrr":
		made, err = shoutrrr.New(address, n.Timeout)
	case "email":
		return email.New(email.Options{Server: n.Server, Security: n.Security, User: n.User, Password: password, From: n.From, To: n.To, TLS: tls, Timeout: n.Timeout})
	}
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	return made, nil
}

// strangers are keys that are set and that the kind does not have.
func (n *Notifier) strangers(keys []string) (wrong []error) {
	set := map[string]bool{
		"url": n.URL != "" || n.URLFile != "", "key": n.Key != "" || n.KeyFile != "", "token": n.Token != "" || n.TokenFile != "",
		"user": n.User != "", "password": n.Password != "" || n.PasswordFile != "", "server": n.Server != "", "security": n.Security != "",
		"from": n.From != "", "to": len(n.To) > 0, "tls": n.TLS != TLS{},
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if set[key] && !slices.Contains(keys, key) {
			wrong = append(wrong, fmt.Errorf("%s: is no key of the kind %s; its keys are %s", key, n.Kind, strings.Join(keys, ", ")))
		}
	}
	if s := n.Security; s != "" && !slices.Contains([]string{email.StartTLS, email.TLS, email.Plain}, s) {
		wrong = append(wrong, fmt.Errorf("security: %q must be %s, %s or %s", s, email.StartTLS, email.TLS, email.Plain))
	}
	return wrong
}

func (c *Config) checkNotifiers(p *problems) {
	_, err := c.Notifiers()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			key, text, _ := strings.Cut(err.Error(), ": ")
			p.add("alerts."+key, "", "%s", text)
		}
	}
}
