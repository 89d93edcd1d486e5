package config_test

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/chaperone-audit/chaperone/config"
)

// Franz is tried on a broker that asks for what is set.
func TestFranzConnectsAsSaramaDoes(t *testing.T) {
	cert, key := mustCertificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}), kfake.EnableSASL()}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		opts = append(opts, kfake.Superuser(mechanism, "user-"+mechanism, "tomato"))
	}
	broker, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	ping := func(k config.Kafka) error {
		opts, err := k.Franz("chaperone-test")
		if err != nil {
			t.Fatal(err)
		}
		c, err := kgo.NewClient(append(opts, kgo.RequestRetries(0))...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Ping(t.Context())
	}
	k := config.Kafka{Brokers: broker.ListenAddrs(), TLS: config.TLS{Enabled: true, InsecureSkipVerify: true}}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		k.SASL = config.SASL{Mechanism: mechanism, User: "user-" + mechanism, Password: "tomato"}
		if err := ping(k); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		if c := mustSarama(t, k); c.Net.SASL.User != k.SASL.User || !c.Net.TLS.Enable {
			t.Errorf("%s: sarama connects as %+v", mechanism, c.Net)
		}
	}
	k.SASL.Password = "potato"
	if err := ping(k); err == nil {
		t.Error("a wrong password was good enough")
	}
	file := MustWrite(t, "password", "potato\n")
	k.SASL.Password, k.SASL.PasswordFile = "", file
	franz, err := k.Franz("chaperone-test")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("tomato\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := kgo.NewClient(franz...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("a password that was changed after the client was made: %v", err)
	}
	k.SASL.PasswordFile += ".none"
	if _, err := k.Franz("x"); err == nil || !strings.Contains(err.Error(), "sasl.password_file") {
		t.Errorf("a file that is not there: %v", err)
	}
	k.TLS.Enabled, k.SASL = false, config.SASL{}
	if err := ping(k); err == nil {
		t.Error("connected without TLS to a broker that has nothing else")
	}
}

func TestFranzSpeaksNoNewerVersionThanIsSet(t *testing.T) {
	const fetch = 1
	for version, most := range map[string]int16{"2.8": 12, "2.8.1": 12, "3.1.0": 13} {
		opts, err := config.Kafka{Brokers: []string{"127.0.0.1:1"}, Version: version}.Franz("x")
		if err != nil {
			t.Fatal(err)
		}
		c, err := kgo.NewClient(opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got, _ := c.OptValue(kgo.MaxVersions).(*kversion.Versions).LookupMaxKeyVersion(fetch); got != most {
			t.Errorf("%s: fetches up to version %d, want %d", version, got, most)
		}
	}
	for _, version := range []string{"", "99.0.0"} { // not set, or not known yet
		opts, err := config.Kafka{Version: version}.Franz("x")
		if err != nil || len(opts) != 2 {
			t.Errorf("%q: %d options, %v", version, len(opts), err)
		}
	}
}
