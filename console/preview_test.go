package console_test

import (
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/tenant"
)

// A release that waits shows what it would change about reminders before it is published (issue 4 §1).
func TestReleasePreviewsReminders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Clock.Shift(2 * time.Hour)
	r.holder(t, "13800138000", "演示汽车销售（深圳）有限公司", 9)  // would be due at once: ten days before
	r.holder(t, "13800138001", "演示汽车服务（深圳）有限公司", 11) // … tomorrow
	r.holder(t, "13800138002", "演示汽车贸易（深圳）有限公司", 8)  // by the rules in force tomorrow
	waits := func(edit func(map[string]string)) string {
		t.Helper()
		ctx := authz.WithPrincipal(t.Context(), authz.System("test"))
		stored, err := r.Releases.Release(ctx, tenant.IDOf("byd"), 0)
		if err != nil {
			t.Fatal(err)
		}
		def := stored.Definition
		def.Files = maps.Clone(def.Files)
		edit(def.Files)
		done, err := r.Releases.Apply(ctx, def, tenant.AnyRelease)
		if err != nil {
			t.Fatal(err)
		}
		return "/tenants/byd/releases/" + strconv.Itoa(done.Number)
	}
	b := r.login(t, "onboarding")
	same := b.get(waits(func(f map[string]string) { f["tenant.yaml"] += "\n# a remark\n" }), 200)
	must(t, strings.Contains(same.text("main"), "提醒规则没有变化"), "%s", same.text("main"))
	p := b.get(waits(func(f map[string]string) { f["products/gqgx.yaml"] += "\nreminder: {offsets: [10], channels: [sms]}\n" }), 200)
	text := p.text("main")
	for _, want := range []string{"现行规则：2026-12-01将向 1 人发送 1 条提醒", "新规则：2026-12-01将向 1 人发送 1 条提醒", "发布后立即有 2 张证书到提醒日，将向 2 人补发 2 条提醒", "2026-12-30"} {
		must(t, strings.Contains(text, want), "no %q in %s", want, text)
	}
	must(t, p.Find(`form[action$="/publish"]`).Length() == 1, "no way to publish")
	must(t, b.get("/", 200).Find(`main a[href="/tenants/byd/releases/3"]`).Length() == 1, "who publishes is not told at home that a release waits")
	must(t, r.login(t, "auditor").get("/", 200).Find(`main a[href^="/tenants/"]`).Length() == 0, "who may not publish is asked to")
	live := b.get("/tenants/byd/releases/1", 200)
	must(t, !strings.Contains(live.text("main"), "发布后到期提醒的变化"), "a release in force is previewed")
}
