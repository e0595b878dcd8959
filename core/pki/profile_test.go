package pki

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCompileProfileRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*ProfileConfig)
		code   Code
		says   string
	}{
		"no name":        {func(c *ProfileConfig) { c.Name = "" }, CodeProfile, "name is empty"},
		"no years":       {func(c *ProfileConfig) { c.ValidityYears = 0 }, CodeProfile, "validity_years"},
		"no algorithm":   {func(c *ProfileConfig) { c.Algorithms = nil }, CodeProfile, "rsa2048"},
		"sm2":            {func(c *ProfileConfig) { c.Algorithms = []string{"sm2"} }, CodeNotOffered, "not offered"},
		"dsa":            {func(c *ProfileConfig) { c.Algorithms = []string{"dsa"} }, CodeKeyType, "dsa"},
		"usage":          {func(c *ProfileConfig) { c.KeyUsage = []string{"sign"} }, CodeProfile, "digital_signature"},
		"no usage":       {func(c *ProfileConfig) { c.KeyUsage = nil }, CodeProfile, "key_usage"},
		"EC enciphers":   {func(c *ProfileConfig) { c.KeyUsage = []string{"key_encipherment"} }, CodeProfile, "p256"},
		"RSA agrees":     {func(c *ProfileConfig) { c.KeyUsage = []string{"key_agreement"} }, CodeProfile, "rsa2048"},
		"extended usage": {func(c *ProfileConfig) { c.ExtKeyUsage = []string{"tls"} }, CodeProfile, "client_auth"},
		"policy":         {func(c *ProfileConfig) { c.PolicyOID = "1.x" }, CodeProfile, "policy_oid"},
		"identity":       {func(c *ProfileConfig) { c.IdentityOID = "uscc" }, CodeProfile, "identity_oid"},
		"https list":     {func(c *ProfileConfig) { c.CRLURLs = []string{"https://x/y.crl"} }, CodeProfile, "plain http"},
		"template":       {func(c *ProfileConfig) { c.Subject.CommonName = "{company" }, CodeProfile, "common_name"},
		"no CN":          {func(c *ProfileConfig) { c.Subject.CommonName = "" }, CodeProfile, "common_name"},
	} {
		cfg := loginConfig()
		c.change(&cfg)
		_, err := CompileProfile(cfg)
		if CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error = %v, want %s saying %q", name, err, c.code, c.says)
		}
	}
}

// The combinations of domain §6.3, as the linter judges them.
func TestProfileCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		usage, extended []string
		algorithms      []string
		code            Code
	}{
		"login":                  {[]string{"digital_signature"}, []string{"client_auth"}, []string{"rsa2048", "p256"}, ""},
		"login and documents":    {[]string{"digital_signature"}, []string{"client_auth", "document_signing"}, []string{"rsa2048"}, ""},
		"documents":              {[]string{"digital_signature", "content_commitment"}, []string{"document_signing"}, []string{"rsa2048", "p256"}, ""},
		"mail":                   {[]string{"digital_signature", "content_commitment"}, []string{"client_auth", "email_protection"}, []string{"rsa2048"}, ""},
		"any":                    {[]string{"digital_signature", "content_commitment"}, []string{"client_auth", "any"}, []string{"rsa2048"}, ""},
		"encryption":             {[]string{"key_encipherment", "data_encipherment"}, nil, []string{"rsa2048"}, ""},
		"private usage":          {[]string{"digital_signature"}, []string{"1.2.156.112548.9.2"}, []string{"rsa2048"}, ""},
		"NR with login only":     {[]string{"digital_signature", "content_commitment"}, []string{"client_auth"}, []string{"rsa2048"}, CodeLint},
		"encryption and mail KE": {[]string{"key_encipherment", "data_encipherment"}, []string{"email_protection"}, []string{"rsa2048"}, CodeLint},
	} {
		cfg := loginConfig()
		cfg.KeyUsage, cfg.ExtKeyUsage, cfg.Algorithms = c.usage, c.extended, c.algorithms
		err := must(CompileProfile(cfg))(t).Check(noon)
		if CodeOf(err) != c.code || (c.code == "" && err != nil) {
			t.Errorf("%s: error = %v, want code %q", name, err, c.code)
		}
	}
}

func TestSubjectTemplates(t *testing.T) {
	t.Parallel()
	p := must(CompileProfile(loginConfig()))(t)
	if diff := cmp.Diff([]string{"city", "company", "province", "seq", "uscc"}, p.Placeholders()); diff != "" {
		t.Fatal(diff)
	}
	values := dealer()
	values["seq"] = "2"
	s := must(p.Subject(values))(t)
	if want := "C=CN, ST=福建省, L=厦门市, O=厦门示例汽车销售有限公司, OU=经销商, serialNumber=91350200556207664B, CN=厦门示例汽车销售有限公司-2"; s.String() != want {
		t.Fatalf("%s\nwant %s", s, want)
	}
	delete(values, "uscc")
	_, err := p.Subject(values)
	wantCode(t, err, CodeSubject)
	if !strings.Contains(err.Error(), "{uscc}") {
		t.Fatal(err)
	}
}

func TestAddYears(t *testing.T) {
	t.Parallel()
	shanghai := time.FixedZone("CST", 8*3600)
	for in, want := range map[string]string{
		"2026-12-31 23:59:59": "2027-12-31 23:59:59",
		"2028-02-29 12:00:00": "2029-02-28 12:00:00",
		"2026-11-22 10:00:00": "2027-11-22 10:00:00",
	} {
		at := must(time.ParseInLocation(time.DateTime, in, shanghai))(t)
		if got := AddYears(at, 1).Format(time.DateTime); got != want {
			t.Errorf("%s + 1 year = %s, want %s", in, got, want)
		}
	}
	p := must(CompileProfile(loginConfig()))(t)
	from, to := p.Validity(noon)
	if from != noon.Add(-5*time.Minute) || to.Format(time.DateTime) != "2027-11-22 01:59:59" {
		t.Fatalf("%s … %s", from, to)
	}
}
