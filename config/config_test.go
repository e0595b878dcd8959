package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certsaas/config"

	"github.com/google/go-cmp/cmp"
)

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "certsaas.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEnvironmentOverFileOverDefaults(t *testing.T) {
	t.Parallel()
	path := write(t, "data_dir: /srv/certsaas\nweb:\n  listen: 0.0.0.0:80\n  base_domain: certs.example.com\n")
	got, err := config.Load(path, lookup(map[string]string{
		"CERTSAAS_LISTEN": "127.0.0.1:9000", "CERTSAAS_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1", "CERTSAAS_DATABASE_MAX_CONNS": "40",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.DataDir = "/srv/certsaas"
	want.Web = config.Web{Listen: "127.0.0.1:9000", BaseDomain: "certs.example.com", TrustedProxies: []string{"10.0.0.0/8", "192.0.2.1"}}
	want.Database.MaxConns = 40
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := config.Load(write(t, ""), lookup(nil)); err != nil || !cmp.Equal(got, config.Default()) || !got.Embedded() {
		t.Errorf("empty file: %v, %v", got, err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		env        map[string]string
		want       string
	}{
		{"unknown key", "web:\n  lisen: x\n", nil, "line 2: field lisen not found"},
		{"listen", "", map[string]string{"CERTSAAS_LISTEN": "8080"}, "web.listen"},
		{"domain", "", map[string]string{"CERTSAAS_BASE_DOMAIN": "https://x"}, "web.base_domain"},
		{"public url of another host", "", map[string]string{"CERTSAAS_PUBLIC_URL": "https://elsewhere.example"}, "web.public_url"},
		{"proxy", "", map[string]string{"CERTSAAS_TRUSTED_PROXIES": "everybody"}, "web.trusted_proxies"},
		{"number", "", map[string]string{"CERTSAAS_DATABASE_MAX_CONNS": "many"}, "CERTSAAS_DATABASE_MAX_CONNS"},
		{"database", "", map[string]string{"CERTSAAS_DATABASE_URL": "hunter2"}, "database.url"},
		{"system url alone", "", map[string]string{"CERTSAAS_DATABASE_SYSTEM_URL": "postgres://a@b/c"}, "database.url"},
		{"sms", "", map[string]string{"CERTSAAS_SMS_APP_ID": "1"}, "sms"},
		{"mail", "", map[string]string{"CERTSAAS_MAIL_ADDRESS": "mx:25"}, "mail.from"},
		{"log level", "", map[string]string{"CERTSAAS_LOG_LEVEL": "loud"}, "log.level"},
		{"log format", "", map[string]string{"CERTSAAS_LOG_FORMAT": "xml"}, "log.format"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(write(t, tt.file), lookup(tt.env))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want one about %s", err, tt.want)
			}
		})
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	c, err := config.Load("", lookup(map[string]string{
		"CERTSAAS_DATABASE_URL": "postgres://certsaas_app:hunter2@db/certsaas", "CERTSAAS_DATABASE_OWNER_URL": "postgres://o@db/c?password=hunter2",
		"CERTSAAS_VAULT_KEK": "hunter2", "CERTSAAS_SMS_SECRET_KEY": "hunter2", "CERTSAAS_MAIL_PASSWORD": "hunter2",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if text := c.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "@db/certsaas") {
		t.Errorf("printed:\n%s", text)
	}
	if c.Vault.KEK != "hunter2" {
		t.Error("printing changed the value itself")
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	c := config.Default()
	for sub, want := range map[string]string{"": "http://localhost:8080", "byd": "http://byd.localhost:8080"} {
		if got := c.URL(sub); got != want {
			t.Errorf("URL(%q) = %s, want %s", sub, got, want)
		}
	}
	c.Web.BaseDomain, c.Web.PublicURL = "certs.example.com", "https://certs.example.com"
	if got, want := c.URL("byd"), "https://byd.certs.example.com"; got != want || !c.Secure() {
		t.Errorf("URL = %s (secure %t), want %s", got, c.Secure(), want)
	}
}
