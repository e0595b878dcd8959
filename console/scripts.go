package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"sync"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/web"
	"certsaas/keyagent/client"
)

//go:embed scripts/*.js
var scriptFiles embed.FS

// scripts are the console's own scripts and the key agent's client, by name, with the hash their addresses carry.
var scripts = sync.OnceValue(func() map[string]script {
	out := map[string]script{"ukagent.js": hashed(client.JS)}
	names, _ := fs.Glob(scriptFiles, "scripts/*.js")
	for _, n := range names {
		body, err := scriptFiles.ReadFile(n)
		if err != nil {
			panic(err) // impossible: embedded
		}
		out[n[len("scripts/"):]] = hashed(body)
	}
	return out
})

type script struct {
	body []byte
	hash string
}

func hashed(body []byte) script {
	sum := sha256.Sum256(body)
	return script{body: body, hash: hex.EncodeToString(sum[:])[:12]}
}

// scriptURL is the address of a script; it changes with its content.
func scriptURL(name string) string { return "/scripts/" + scripts()[name].hash + "/" + name }

func (k *Console) scriptRoutes() []web.Route {
	return []web.Route{{Method: "GET", Path: "/scripts/:hash/:name", Handler: func(c *fiber.Ctx) error {
		s, ok := scripts()[c.Params("name")]
		if !ok {
			return fault.New(fault.NotFound, "web.not_found")
		}
		c.Set(fiber.HeaderContentType, "text/javascript; charset=utf-8")
		if s.hash == c.Params("hash") {
			c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
		}
		return c.Send(s.body)
	}}}
}
