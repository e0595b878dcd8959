package portal

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/web"
	"certsaas/keyagent/client"
)

// scriptURL is where pages get the key agent's client; it changes with its content.
var scriptURL = sync.OnceValue(func() string {
	sum := sha256.Sum256(client.JS)
	return "/keyagent/client.js?v=" + hex.EncodeToString(sum[:])[:12]
})

// agentScript serves the script by which a page speaks to the key agent.
func (p *Portal) agentScript(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, "text/javascript; charset=utf-8")
	c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
	return c.Send(client.JS)
}

// showAgent says what the key agent is, how it is installed and where it runs.
func (p *Portal) showAgent(c *fiber.Ctx) error {
	return web.Render(c, fiber.StatusOK, agentPage(agentView{Demo: p.Demo}))
}

// agentView is the page about the key agent.
type agentView struct {
	Demo bool // name the demonstration's command
}
