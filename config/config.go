// Package config says how this installation differs from any other.
//
// In: built-in defaults, a YAML file over them, CERTSAAS_… environment variables over both. Out: one validated value, whose
// parts are handed to the components. It prints with its secrets masked. What makes a tenant is not configuration, see core/tenant.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Config is the whole. The tags name the key in the file and the variable, without its prefix CERTSAAS_; secret fields print masked.
type Config struct {
	// DataDir holds the embedded database, blobs, keys, demonstration files. Relative to the working directory.
	DataDir  string   `yaml:"data_dir" env:"DATA_DIR"`
	Web      Web      `yaml:"web"`
	Database Database `yaml:"database"`
	Vault    Vault    `yaml:"vault"`
	SMS      SMS      `yaml:"sms"`
	Mail     Mail     `yaml:"mail"`
	// Merchants are the accounts that take the money, by tenant slug; "*" serves every tenant that has none of its own.
	Merchants map[string]Merchant `yaml:"merchants"`
	Log       Log                 `yaml:"log"`
}

// Web is the HTTP server.
type Web struct {
	// Listen is the address to serve on, host:port.
	Listen string `yaml:"listen" env:"LISTEN"`
	// MetricsListen serves /metrics apart from the public address; empty: on Listen, to this machine only.
	MetricsListen string `yaml:"metrics_listen" env:"METRICS_LISTEN"`
	// BaseDomain is the platform's host; tenants answer at <slug>.<base>, the console at console.<base>.
	BaseDomain string `yaml:"base_domain" env:"BASE_DOMAIN"`
	// PublicURL is scheme and, unless usual, port as browsers see them: "https://certs.example.com". Empty: http://BaseDomain:port of Listen.
	PublicURL string `yaml:"public_url" env:"PUBLIC_URL"`
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is believed. In the variable, separated by commas.
	TrustedProxies []string `yaml:"trusted_proxies" env:"TRUSTED_PROXIES"`
}

// Database says where PostgreSQL is. With URL empty, the program runs a private one of its own below DataDir.
type Database struct {
	// URL is the address for role certsaas_app: postgres://certsaas_app:password@host/certsaas.
	URL string `yaml:"url" env:"DATABASE_URL" secret:"url"`
	// SystemURL is the same for role certsaas_system. Empty: URL with that role in it.
	SystemURL string `yaml:"system_url" env:"DATABASE_SYSTEM_URL" secret:"url"`
	// OwnerURL is the same for role certsaas_owner; only migrations use it. Empty: URL with that role in it.
	OwnerURL string `yaml:"owner_url" env:"DATABASE_OWNER_URL" secret:"url"`
	// MaxConns is the most connections of each of the two pools.
	MaxConns int32 `yaml:"max_conns" env:"DATABASE_MAX_CONNS"`
	// BinDir holds initdb and postgres for the private server. Empty: searched for.
	BinDir string `yaml:"bin_dir" env:"PG_BIN_DIR"`
}

// Vault is the encryption of personal data.
type Vault struct {
	// KEK is the key-encryption key, 64 hexadecimal digits, old ones after commas. Empty: DATA_DIR/keys/kek.
	KEK string `yaml:"kek" env:"VAULT_KEK" secret:"all"`
}

// SMS is the message provider (Tencent Cloud). With AppID empty no SMS is sent; --demo writes them to a file instead.
type SMS struct {
	AppID     string `yaml:"app_id" env:"SMS_APP_ID"`
	SecretID  string `yaml:"secret_id" env:"SMS_SECRET_ID"`
	SecretKey string `yaml:"secret_key" env:"SMS_SECRET_KEY" secret:"all"`
	// Signature is the filed one, without 【】, of messages whose tenant has none.
	Signature string `yaml:"signature" env:"SMS_SIGNATURE"`
	// Templates gives each of our messages the provider's template and the order of its placeholders.
	Templates map[string]SMSTemplate `yaml:"templates"`
}

// SMSTemplate is a template the provider has approved.
type SMSTemplate struct {
	ID     string   `yaml:"id"`
	Params []string `yaml:"params"`
}

// Merchant is one seller at the payment companies. Keys are named by file, never held here; a channel without its id is off.
type Merchant struct {
	Alipay Alipay `yaml:"alipay"`
	WeChat WeChat `yaml:"wechat"`
}

// Alipay is an application at Alipay's open gateway.
type Alipay struct {
	AppID     string `yaml:"app_id"`
	SellerID  string `yaml:"seller_id"`   // PID, 2088…
	KeyFile   string `yaml:"key_file"`    // our private key, PEM
	AlipayKey string `yaml:"alipay_key"`  // file of Alipay's public key, PEM
	Gateway   string `yaml:"gateway_url"` // empty: https://openapi.alipay.com/gateway.do
}

// WeChat is a merchant at WeChat Pay (version 3).
type WeChat struct {
	AppID     string            `yaml:"app_id"`
	MchID     string            `yaml:"mch_id"`
	SerialNo  string            `yaml:"serial_no"`   // of our merchant certificate
	KeyFile   string            `yaml:"key_file"`    // our private key, PEM
	APIv3File string            `yaml:"apiv3_file"`  // file of the 32-byte APIv3 key
	Keys      map[string]string `yaml:"wechat_keys"` // serial number or PUB_KEY_ID_… → file of WeChat's public key, PEM
	BaseURL   string            `yaml:"base_url"`    // empty: https://api.mch.weixin.qq.com
}

// Mail is the outgoing mail server. With Address empty no e-mail is sent.
type Mail struct {
	Address  string `yaml:"address" env:"MAIL_ADDRESS"` // host:port
	From     string `yaml:"from" env:"MAIL_FROM"`
	Username string `yaml:"username" env:"MAIL_USERNAME"`
	Password string `yaml:"password" env:"MAIL_PASSWORD" secret:"all"`
}

// Log is what the program says about itself, on standard error.
type Log struct {
	Level  string `yaml:"level" env:"LOG_LEVEL"`   // debug, info, warn, error
	Format string `yaml:"format" env:"LOG_FORMAT"` // json or text
}

// Default is the configuration without any file or variable: the private database, this machine only.
func Default() Config {
	return Config{
		DataDir:  "./data",
		Web:      Web{Listen: "127.0.0.1:8080", BaseDomain: "localhost"},
		Database: Database{MaxConns: 16},
		Log:      Log{Level: "info", Format: "json"},
	}
}

// Embedded reports whether the program runs a private database of its own.
func (c Config) Embedded() bool { return c.Database.URL == "" }

// Path is a path below DataDir.
func (c Config) Path(elem ...string) string {
	return filepath.Join(append([]string{c.DataDir}, elem...)...)
}

// Secure reports whether browsers reach the program over https.
func (c Config) Secure() bool { return strings.HasPrefix(c.Web.PublicURL, "https://") }

// URL is the public address of a host below the base domain: "byd" gives http://byd.localhost:8080; "" is the platform's own.
func (c Config) URL(sub string) string {
	scheme, port := "http", ""
	if c.Web.PublicURL != "" {
		u, err := url.Parse(c.Web.PublicURL) // Validate has seen it
		if err == nil {
			scheme, port = u.Scheme, u.Port()
		}
	} else if _, p, err := net.SplitHostPort(c.Web.Listen); err == nil && p != "80" {
		port = p
	}
	host := c.Web.BaseDomain
	if sub != "" {
		host = sub + "." + host
	}
	if port != "" {
		host = net.JoinHostPort(host, port)
	}
	return scheme + "://" + host
}

// Plain is the platform's address without TLS. Who checks a certificate fetches revocation lists, issuers' certificates and
// OCSP answers there before he trusts any (RFC 5280 §4.2.1.13, §4.2.2.1).
func (c Config) Plain() string {
	if c.Secure() {
		return "http://" + c.Web.BaseDomain
	}
	return c.URL("")
}

var domainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// Validate reports everything that is wrong, by name.
func (c Config) Validate() error {
	var problems []error
	complain := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.DataDir == "" {
		complain("data_dir", "must not be empty")
	}
	for key, address := range map[string]string{"web.listen": c.Web.Listen, "web.metrics_listen": c.Web.MetricsListen, "mail.address": c.Mail.Address} {
		if address == "" && key != "web.listen" {
			continue
		}
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			complain(key, "%q is not host:port", address)
		}
	}
	if !domainName.MatchString(c.Web.BaseDomain) {
		complain("web.base_domain", "%q is not a host name in lower case", c.Web.BaseDomain)
	}
	if u, err := url.Parse(c.Web.PublicURL); c.Web.PublicURL != "" &&
		(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() != c.Web.BaseDomain || u.Path != "" && u.Path != "/") {
		complain("web.public_url", "must be http(s)://%s, with a port where it is not the usual one", c.Web.BaseDomain)
	}
	for _, proxy := range c.Web.TrustedProxies {
		_, err1 := netip.ParseAddr(proxy)
		_, err2 := netip.ParsePrefix(proxy)
		if err1 != nil && err2 != nil {
			complain("web.trusted_proxies", "%q is neither an address nor a network", proxy)
		}
	}
	c.validateParties(complain)
	return errors.Join(problems...)
}

// validateParties looks at the database and the outside parties. It never quotes a secret.
func (c Config) validateParties(complain func(key, format string, args ...any)) {
	for key, address := range map[string]string{"database.url": c.Database.URL, "database.system_url": c.Database.SystemURL, "database.owner_url": c.Database.OwnerURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.User.Username() == "") {
			complain(key, "must be postgres://role:password@host/database")
		}
	}
	if c.Database.URL == "" && (c.Database.SystemURL != "" || c.Database.OwnerURL != "") {
		complain("database.url", "must be given with the other database addresses")
	}
	if c.Database.MaxConns < 2 || c.Database.MaxConns > 500 {
		complain("database.max_conns", "must be 2 to 500")
	}
	if c.SMS.AppID != "" && (c.SMS.SecretID == "" || c.SMS.SecretKey == "") {
		complain("sms", "app_id needs secret_id and secret_key")
	}
	for slug, m := range c.Merchants {
		if a := m.Alipay; a.AppID != "" && (a.SellerID == "" || a.KeyFile == "" || a.AlipayKey == "") {
			complain("merchants."+slug+".alipay", "app_id needs seller_id, key_file and alipay_key")
		}
		if w := m.WeChat; w.MchID != "" && (w.AppID == "" || w.SerialNo == "" || w.KeyFile == "" || w.APIv3File == "" || len(w.Keys) == 0) {
			complain("merchants."+slug+".wechat", "mch_id needs app_id, serial_no, key_file, apiv3_file and wechat_keys")
		}
	}
	if c.Mail.Address != "" && c.Mail.From == "" {
		complain("mail.from", "must be given with mail.address")
	}
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		complain("log.level", "%q is not debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "json" && c.Log.Format != "text" {
		complain("log.format", "%q is not json or text", c.Log.Format)
	}
}

// String is the configuration as YAML, secrets masked.
func (c Config) String() string {
	raw, err := yaml.Marshal(c.masked())
	if err != nil {
		return "config: " + err.Error()
	}
	return string(raw)
}
