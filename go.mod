module certsaas

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0 // message files of go-i18n
	github.com/PuerkitoBio/goquery v1.11.0 // tests look at pages by selector
	github.com/a-h/templ v0.3.977 // typed HTML components, checked by the compiler
	github.com/alexedwards/argon2id v1.0.0 // password hashes
	github.com/chromedp/chromedp v0.23.0 // tests drive Chromium
	github.com/coder/websocket v1.8.14 // pages talk to the key agent
	github.com/ebitengine/purego v0.11.3 // PKCS #11 libraries without cgo
	github.com/go-co-op/gocron/v2 v2.21.2 // ticks of the scheduler
	github.com/gofiber/fiber/v2 v2.52.15 // HTTP
	github.com/golang-migrate/migrate/v4 v4.20.1 // schema migrations
	github.com/google/go-cmp v0.7.0 // differences in tests
	github.com/google/uuid v1.6.0 // ids
	github.com/jackc/pgx/v5 v5.12.0 // PostgreSQL
	github.com/makiuchi-d/gozxing v0.1.1 // reads the QR on a photographed letter
	github.com/nicksnyder/go-i18n/v2 v2.7.0 // sentences in the reader’s language
	github.com/open-policy-agent/opa v1.22.2 // authorisation and tenants’ rules in Rego
	github.com/pquerna/otp v1.5.0 // second factor of staff (TOTP)
	github.com/valyala/fasthttp v1.74.0 // under fiber, raised by hand: fiber alone would take a release of 2023
	github.com/zmap/zcrypto v0.0.0-20250129210703-03c45d0bae98 // certificate type that zlint reads
	github.com/zmap/zlint/v3 v3.6.8 // certificates are linted before they are signed
	go.yaml.in/yaml/v3 v3.0.5 // packs and configuration, with line numbers for messages
	golang.org/x/crypto v0.58.0 // OCSP answers
	golang.org/x/image v0.47.0 // scaling and drawing pictures, font outlines
	golang.org/x/net v0.62.0 // host names in ASCII (punycode)
	golang.org/x/term v0.47.0 // the agent asks for a PIN without echo
	golang.org/x/text v0.44.0 // normal forms of what people type
	golang.org/x/time v0.16.0 // rate limit of the key agent
	rsc.io/qr v0.2.0 // makes QR codes
)

require (
	github.com/agnivade/levenshtein v1.2.1 // indirect
	github.com/andybalholm/cascadia v1.3.3 // indirect
	github.com/boombuler/barcode v1.0.1-0.20190219062509-6c824513bacc // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/chromedp/cdproto v0.159.0 // indirect
	github.com/clipperhouse/uax29/v2 v2.6.0 // indirect
	github.com/decred/dcrd/dcrec/secp256k1/v4 v4.4.1 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/gobwas/glob v1.0.0 // indirect
	github.com/goccy/go-json v0.10.6 // indirect
	github.com/jackc/pgerrcode v0.0.0-20220416144525-469b46aa5efa // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/jonboulle/clockwork v0.5.0 // indirect
	github.com/klauspost/compress v1.20.0 // indirect
	github.com/lestrrat-go/blackmagic v1.0.4 // indirect
	github.com/lestrrat-go/dsig v1.4.0 // indirect
	github.com/lestrrat-go/dsig-secp256k1 v1.0.0 // indirect
	github.com/lestrrat-go/httpcc v1.0.1 // indirect
	github.com/lestrrat-go/httprc/v3 v3.0.6 // indirect
	github.com/lestrrat-go/jwx/v3 v3.3.0 // indirect
	github.com/lestrrat-go/option/v2 v2.0.0 // indirect
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/mattn/go-runewidth v0.0.19 // indirect
	github.com/molecule-man/go-brrr v1.0.1 // indirect
	github.com/pelletier/go-toml v1.9.5 // indirect
	github.com/robfig/cron/v3 v3.0.1 // indirect
	github.com/segmentio/asm v1.2.1 // indirect
	github.com/sirupsen/logrus v1.10.2 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/valyala/fastjson v1.6.10 // indirect
	github.com/vektah/gqlparser/v2 v2.5.58 // indirect
	github.com/weppos/publicsuffix-go v0.40.3-0.20250127173806-e489a31678ca // indirect
	github.com/xeipuuv/gojsonpointer v0.0.0-20190905194746-02993c407bfb // indirect
	github.com/xeipuuv/gojsonreference v0.0.0-20180127040603-bd5ef7bd5415 // indirect
	github.com/yashtewari/glob-intersection v0.2.0 // indirect
	golang.org/x/sync v0.25.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/xerrors v0.0.0-20231012003039-104605ab7028 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
