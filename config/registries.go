package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/registry"
)

// A Registry has the schemas that messages name by number: one over HTTP, or a folder.
type Registry struct {
	Name         string        `yaml:"name"`
	URLs         []DSN         `yaml:"urls"`
	User         string        `yaml:"user"`
	Password     Secret        `yaml:"password"`
	PasswordFile string        `yaml:"password_file"`
	Token        Secret        `yaml:"token"`
	TokenFile    string        `yaml:"token_file"`
	TLS          TLS           `yaml:"tls"`
	Dir          string        `yaml:"dir"`
	Timeout      time.Duration `yaml:"timeout"`
	Missing      string        `yaml:"missing"`
}

// Place is where it is, without credentials.
func (r *Registry) Place() string {
	if r.Dir != "" {
		return r.Dir
	}
	var urls []string
	for _, u := range r.URLs {
		urls = append(urls, u.String())
	}
	return strings.Join(urls, ",")
}

// Registries makes clients of the registries, by name, without connecting. Its error
// joins everything that is wrong, each with its key in front.
func (c *Config) Registries() (map[string]codecs.Registry, error) {
	all := map[string]codecs.Registry{}
	seen := map[string]bool{}
	var wrong []error
	for i, r := range c.SchemaRegistries {
		add := func(err error) { wrong = append(wrong, fmt.Errorf("schema_registries[%d].%w", i, err)) }
		if !nameChars.MatchString(r.Name) {
			add(fmt.Errorf("name: %q must be letters, digits, '.', '_' and '-'", r.Name))
		} else if seen[r.Name] {
			add(fmt.Errorf("name: %q is the name of another registry too", r.Name))
		}
		seen[r.Name] = true
		made, err := r.open()
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range joined.Unwrap() {
				add(err)
			}
		} else if err != nil {
			add(err)
		}
		all[r.Name] = made
	}
	return all, errors.Join(wrong...)
}

func (r *Registry) open() (codecs.Registry, error) {
	if r.Dir != "" {
		if len(r.URLs) > 0 {
			return nil, errors.New("dir: is given, and urls too; leave one out")
		}
		files, err := registry.Dir(r.Name, r.Dir, registry.Missing(r.Missing))
		switch {
		case err == nil:
			return files, nil
		case strings.HasPrefix(err.Error(), "missing: "):
			return nil, err
		}
		return nil, fmt.Errorf("dir: %w", err)
	}
	if len(r.URLs) == 0 {
		return nil, errors.New("urls: is empty; give some, or a dir with schemas")
	}
	var wrong []error
	var urls []string
	for _, u := range r.URLs {
		urls = append(urls, string(u))
	}
	o := registry.Options{Name: r.Name, URLs: urls, User: r.User, Timeout: r.Timeout, Missing: registry.Missing(r.Missing)}
	var err error
	if o.Password, err = secret("password", r.Password, r.PasswordFile); err != nil {
		wrong = append(wrong, err)
	}
	if o.Token, err = secret("token", r.Token, r.TokenFile); err != nil {
		wrong = append(wrong, err)
	}
	if o.TLS, err = r.TLS.client(); err != nil {
		wrong = append(wrong, err)
	}
	if !r.TLS.Enabled && r.TLS != (TLS{}) {
		wrong = append(wrong, errors.New("tls.enabled: is false although other keys of tls are set"))
	}
	client, err := registry.New(o)
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		wrong = append(wrong, joined.Unwrap()...)
	} else if err != nil {
		wrong = append(wrong, err)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return client, nil
}

// checkRegistries checks the registries and gives those that are right.
func (c *Config) checkRegistries(p *problems) map[string]codecs.Registry {
	all, err := c.Registries()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			key, text, _ := strings.Cut(err.Error(), ": ")
			p.add(key, "", "%s", text)
		}
	}
	return all
}
