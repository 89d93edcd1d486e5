package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"github.com/chaperone-audit/chaperone/config"
)

func mustSarama(t testing.TB, k config.Kafka) *sarama.Config {
	t.Helper()
	c, err := k.Sarama("chaperone-test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSarama(t *testing.T) {
	t.Run("nothing set is a plain client that knows topic ids", func(t *testing.T) {
		c := mustSarama(t, config.Kafka{})
		if c.ClientID != "chaperone-test" || c.Version != sarama.V2_8_0_0 || c.Net.TLS.Enable || c.Net.SASL.Enable {
			t.Errorf("got %+v", c)
		}
	})
	t.Run("each is a new one", func(t *testing.T) {
		k := config.Kafka{TLS: config.TLS{Enabled: true}}
		a, b := mustSarama(t, k), mustSarama(t, k)
		if a == b || a.Net.TLS.Config == b.Net.TLS.Config || a.MetricRegistry == b.MetricRegistry {
			t.Error("two configurations share something")
		}
	})
	t.Run("the version is taken", func(t *testing.T) {
		for text, want := range map[string]sarama.KafkaVersion{"3.6.0": sarama.V3_6_0_0, "3.6": sarama.V3_6_0_0} {
			if c := mustSarama(t, config.Kafka{Version: text}); c.Version != want {
				t.Errorf("%s is %s", text, c.Version)
			}
		}
	})
	t.Run("the session timeout is the audit cluster's", func(t *testing.T) {
		c, err := config.Audit{SessionTimeout: 12 * time.Second}.Sarama("x")
		if err != nil || c.Consumer.Group.Session.Timeout != 12*time.Second || c.Consumer.Group.Heartbeat.Interval != 2*time.Second {
			t.Errorf("got %v, %v", c.Consumer.Group, err)
		}
	})
}

func TestTLS(t *testing.T) {
	cert, key := mustCertificate(t)
	c := mustSarama(t, config.Kafka{TLS: config.TLS{Enabled: true, CA: cert, Cert: cert, Key: key, ServerName: "kafka.example", InsecureSkipVerify: true}})
	got := c.Net.TLS.Config
	if !c.Net.TLS.Enable || got.ServerName != "kafka.example" || !got.InsecureSkipVerify || got.RootCAs == nil || len(got.Certificates) != 1 {
		t.Errorf("got %+v", got)
	}
	for _, c := range []struct {
		outcome string
		tls     config.TLS
		want    string
	}{
		{"a file without certificates is told", config.TLS{Enabled: true, CA: key}, "holds no certificate"},
		{"a key that does not belong is told", config.TLS{Enabled: true, Cert: cert, Key: cert}, "tls.cert"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			_, err := config.Kafka{TLS: c.tls}.Sarama("x")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestSASL(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		c := mustSarama(t, config.Kafka{SASL: config.SASL{Mechanism: "PLAIN", User: "u", Password: "tomato"}})
		if s := c.Net.SASL; !s.Enable || s.Mechanism != sarama.SASLTypePlaintext || s.User != "u" || s.Password != "tomato" {
			t.Errorf("got mechanism %s of %s", s.Mechanism, s.User)
		}
	})
	t.Run("the password comes from a file, each time anew", func(t *testing.T) {
		file := MustWrite(t, "password", "tomato\n")
		c := mustSarama(t, config.Kafka{SASL: config.SASL{Mechanism: "PLAIN", User: "u", PasswordFile: file}})
		if c.Net.SASL.Password != "tomato" {
			t.Error("the password is another one")
		}
		_, err := config.Kafka{SASL: config.SASL{Mechanism: "PLAIN", User: "u", PasswordFile: file + "x"}}.Sarama("x")
		if err == nil || !strings.Contains(err.Error(), "sasl.password_file") {
			t.Errorf("got %v", err)
		}
	})
	for mechanism, hash := range map[string]scram.HashGeneratorFcn{"SCRAM-SHA-256": scram.SHA256, "SCRAM-SHA-512": scram.SHA512} {
		t.Run(mechanism+" convinces a server", func(t *testing.T) {
			c := mustSarama(t, config.Kafka{SASL: config.SASL{Mechanism: mechanism, User: "u", Password: "tomato"}})
			if string(c.Net.SASL.Mechanism) != mechanism {
				t.Errorf("got %s", c.Net.SASL.Mechanism)
			}
			client := c.Net.SASL.SCRAMClientGeneratorFunc()
			if err := client.Begin("u", "tomato", ""); err != nil {
				t.Fatal(err)
			}
			known, err := hash.NewClient("u", "tomato", "")
			if err != nil {
				t.Fatal(err)
			}
			credentials := known.GetStoredCredentials(scram.KeyFactors{Salt: "salt", Iters: 4096})
			server, err := hash.NewServer(func(string) (scram.StoredCredentials, error) { return credentials, nil })
			if err != nil {
				t.Fatal(err)
			}
			conversation := server.NewConversation()
			challenge := ""
			for !client.Done() {
				answer, err := client.Step(challenge)
				if err != nil {
					t.Fatal(err)
				}
				if client.Done() {
					break
				}
				if challenge, err = conversation.Step(answer); err != nil {
					t.Fatal(err)
				}
			}
			if !conversation.Valid() {
				t.Error("the server is not convinced")
			}
		})
	}
	t.Run("another mechanism is refused", func(t *testing.T) {
		if _, err := (config.Kafka{SASL: config.SASL{Mechanism: "GSSAPI", User: "u", Password: "p"}}).Sarama("x"); err == nil {
			t.Error("no error")
		}
	})
}

// mustCertificate writes a certificate that signs itself, and its key.
func mustCertificate(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = MustWrite(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return cert, MustWrite(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}
