/* risks.c: see risks.h. */
#include "ctl/risks.h"

#include <arpa/inet.h>
#include <libpsl.h>
#include <string.h>
#include <sys/socket.h>

#include "src/address.h"
#include "src/util.h"

#define CLASS_PREFIX_MIN 3 /* bits of the widest block of IPv4 that is not public: 224.0.0.0/3 */

/* Anyone can have an account there, and read what was sent to it. */
static const struct {
    const char *pattern;
    const char *what;
} shared_hosts[] = {
    {"api.github.com", "GitHub's API (gists, issues, repositories of any account)"},
    {"gist.github.com", "GitHub's gists"},
    {"uploads.github.com", "GitHub's uploads"},
    {"github.com", "GitHub (a push to any account's repository)"},
    {"gitlab.com", "GitLab (snippets, a push to any account's repository)"},
    {"bitbucket.org", "Bitbucket"},
    {"api.bitbucket.org", "Bitbucket"},
    {"codeberg.org", "Codeberg"},
    {"upload.pypi.org", "the Python package index (an upload by any account)"},
    {"*.s3.amazonaws.com", "a bucket of anyone's"},
    {"s3.amazonaws.com", "buckets of anyone's"},
    {"s3.*.amazonaws.com", "buckets of anyone's"},
    {"*.s3.*.amazonaws.com", "a bucket of anyone's"},
    {"storage.googleapis.com", "buckets of anyone's"},
    {"*.storage.googleapis.com", "a bucket of anyone's"},
    {"*.blob.core.windows.net", "storage of anyone's"},
    {"*.r2.cloudflarestorage.com", "a bucket of anyone's"},
    {"*.workers.dev", "a service of anyone's"},
    {"*.lambda-url.*.on.aws", "a service of anyone's"},
    {"*.execute-api.*.amazonaws.com", "a service of anyone's"},
    {"*.ngrok.io", "a tunnel of anyone's"},
    {"*.ngrok-free.app", "a tunnel of anyone's"},
    {"*.trycloudflare.com", "a tunnel of anyone's"},
    {"api.telegram.org", "Telegram (a bot of anyone's)"},
    {"discord.com", "Discord (a webhook of anyone's)"},
    {"discordapp.com", "Discord (a webhook of anyone's)"},
    {"hooks.slack.com", "Slack (a webhook of anyone's)"},
    {"slack.com", "Slack"},
    {"webhook.site", "a request bin"},
    {"*.requestbin.com", "a request bin"},
    {"*.pipedream.net", "a request bin"},
    {"pastebin.com", "a paste site"},
    {"hastebin.com", "a paste site"},
    {"transfer.sh", "a file drop"},
    {"file.io", "a file drop"},
    {"0x0.st", "a file drop"},
    {"api.dropboxapi.com", "Dropbox"},
    {"content.dropboxapi.com", "Dropbox"},
    {"huggingface.co", "Hugging Face (a repository of anyone's)"},
    {"ghcr.io", "GitHub's container registry"},
    {"registry-1.docker.io", "Docker's registry"},
    {"quay.io", "Quay"},
    {"sentry.io", "Sentry (a project of anyone's)"},
    {"*.ingest.sentry.io", "Sentry (a project of anyone's)"},
    {"docs.google.com", "Google's forms"},
    {"script.google.com", "Google's scripts"},
};

/* DNS over HTTPS (RFC 8484): whoever may ask there may ask for any name. */
static const char *const doh_hosts[] = {
    "dns.google",    "dns.google.com",  "cloudflare-dns.com", "*.cloudflare-dns.com",
    "dns.quad9.net", "doh.opendns.com", "one.one.one.one"};

static const char *const doh_addresses[] = {"1.1.1.1",
                                            "1.0.0.1",
                                            "8.8.8.8",
                                            "8.8.4.4",
                                            "9.9.9.9",
                                            "149.112.112.112",
                                            "208.67.222.222",
                                            "208.67.220.220",
                                            "2606:4700:4700::1111",
                                            "2606:4700:4700::1001",
                                            "2001:4860:4860::8888",
                                            "2001:4860:4860::8844",
                                            "2620:fe::fe"};

/* Where clouds answer their own machines, with credentials too; see address.c. */
static const char *const metadata_addresses[] = {
    "169.254.169.254",    /* most clouds */
    "169.254.170.2",      /* Amazon's containers */
    "168.63.129.16",      /* Azure's wire server */
    "100.100.100.200",    /* Alibaba */
    "192.0.0.192",        /* Oracle */
    "fd00:ec2::254",      /* Amazon */
    "fd00:ec2::23",       /* Amazon's containers */
    "fd00:c1::a9fe:a9fe", /* Oracle */
    "fd20:ce::254",       /* Google */
};

/* Does a URL of an address, or a network, lead to that one? As the jail has it: a network around
 * what is local does not mean it. */
static bool means(const struct endpoint *ep, int family, const uint8_t *address)
{
    const struct policy one = {.endpoints = (struct endpoint *)(uintptr_t)ep, .count = 1};
    uint8_t host[16];

    if (ep->kind == ENDPOINT_ADDRESS)
        return policy_match_address(&one, family, address, ep->port) != NULL;
    return inet_pton(family, ep->host, host) == 1 &&
           memcmp(host, address, family == AF_INET ? 4 : 16) == 0;
}

/* The same, by an IPv6 address that embeds this IPv4 one: mapped, or by NAT64 (RFC 6052), a
 * network's own (RFC 8215) too. */
static bool means_embedded(const struct endpoint *ep, const uint8_t v4[4])
{
    static const uint8_t prefixes[][12] = {
        {[10] = 0xff, [11] = 0xff}, {0x00, 0x64, 0xff, 0x9b}, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}};
    uint8_t v6[16];

    memcpy(v6 + 12, v4, 4);
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        memcpy(v6, prefixes[i], sizeof(prefixes[i]));
        if (means(ep, AF_INET6, v6))
            return true;
    }
    return false;
}

static bool leads_to(const struct endpoint *ep, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int family = strchr(known[i], ':') ? AF_INET6 : AF_INET;
        uint8_t bytes[16];

        if (inet_pton(family, known[i], bytes) == 1 &&
            (means(ep, family, bytes) || (family == AF_INET && means_embedded(ep, bytes))))
            return true;
    }
    return false;
}

static bool is_metadata(const struct endpoint *ep)
{
    return leads_to(ep, metadata_addresses, ARRAY_LEN(metadata_addresses));
}

/* By HTTPS or, at port 853, by TLS alone. */
static bool is_doh_address(const struct endpoint *ep)
{
    return (ep->port == 443 || ep->port == 853) &&
           leads_to(ep, doh_addresses, ARRAY_LEN(doh_addresses));
}

static bool is_doh_host(const char *host)
{
    for (size_t i = 0; i < ARRAY_LEN(doh_hosts); i++)
        if (name_match(doh_hosts[i], host))
            return true;
    return false;
}

/* NULL, or who else gets what is written to this host (canonical). */
static const char *shared_host(const char *host)
{
    for (size_t i = 0; i < ARRAY_LEN(shared_hosts); i++)
        if (name_match(shared_hosts[i].pattern, host))
            return shared_hosts[i].what;
    return NULL;
}

/* Can anyone have a name that the pattern matches? So it is where its fixed end is no more than a
 * public suffix (https://publicsuffix.org, libpsl(3)): "*.co.uk", "*.github.io", "*x.org". suffix:
 * that end, of NAME_SIZE bytes. */
static bool is_open_pattern(const char *pattern, char *suffix)
{
    const psl_ctx_t *psl = psl_builtin();
    const char *star = strrchr(pattern, '*'), *end;

    suffix[0] = '\0';
    if (!star)
        return false;
    end = strchr(star, '.'); /* what stands before it ends in the middle of a label */
    if (!end)
        return true;
    copy_string(suffix, NAME_SIZE, end + 1);
    return psl && psl_is_public_suffix2(psl, end + 1, PSL_TYPE_ANY);
}

static const char metadata_text[] =
    "the cloud's metadata service: it gives the machine's credentials to whoever asks";

static void add(struct findings *f, enum finding_level level, const char *code,
                const struct endpoint *ep, const char *text)
{
    finding_add(f, level, code, ep->source, ep->line, ep->word, "%s", text);
}

/* --- hosts --- */

static void check_pattern(struct findings *f, const struct endpoint *ep)
{
    char suffix[NAME_SIZE];

    if (!strchr(ep->host, '*'))
        return;
    if (is_open_pattern(ep->host, suffix))
        finding_add(f, FINDING_WARNING, "public-suffix", ep->source, ep->line, ep->word,
                    suffix[0]
                        ? "anyone can have a name below %s, and so be meant by this wildcard; "
                          "name the zone that you mean: *.example.%s"
                        : "any name at all is meant by this wildcard%s%s",
                    suffix, suffix);
    else
        add(f, FINDING_NOTE, "wildcard", ep,
            "each name that is asked for is a message to whoever serves the zone; write the names "
            "down if they are known");
}

/* --- URLs --- */

static void check_upload(struct findings *f, const struct endpoint *ep)
{
    const char *shared = shared_host(ep->host);

    if (is_metadata(ep))
        add(f, FINDING_WARNING, "metadata", ep, metadata_text);
    else if (is_doh_host(ep->host) || is_doh_address(ep))
        finding_add(f, FINDING_WARNING, "dns-over-https", ep->source, ep->line, ep->word,
                    "%s is a DNS server over HTTPS: any name can be asked for", ep->host);
    else if (shared && policy_endpoint_allows_uploads(ep))
        finding_add(f, FINDING_WARNING, "upload", ep->source, ep->line, ep->word,
                    "anyone can have data sent to %s: limit the methods (GET,HEAD:%s) or the path",
                    shared, ep->word + (ep->method_count ? strcspn(ep->word, ":") + 1 : 0));
    else if (ep->method_count == 0)
        finding_add(
            f, FINDING_NOTE, "methods", ep->source, ep->line, ep->word,
            "all methods are allowed, uploads included; if it is for downloads: GET,HEAD:%s",
            ep->word);
}

static bool looks_like_file(const char *prefix)
{
    const char *name = strrchr(prefix, '/'), *dot = name ? strrchr(name, '.') : NULL;

    return dot && dot > name + 1 &&
           strspn(dot + 1, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(dot + 1) &&
           strlen(dot + 1) <= 8 && strlen(dot + 1) > 0 && (dot[1] < '0' || dot[1] > '9');
}

static void check_prefix(struct findings *f, const struct endpoint *ep)
{
    size_t n = strlen(ep->prefix);

    if (strchr(ep->prefix, '*'))
        add(f, FINDING_WARNING, "literal", ep,
            "a '*' in a path stands for itself: only a URL that has it there begins so; end the "
            "prefix before it");
    if (n == 0 || ep->prefix[n - 1] == '/' || strchr(ep->prefix, '?') || ep->prefix[n - 1] == '=')
        return;
    if (looks_like_file(ep->prefix))
        finding_add(f, FINDING_NOTE, "no-final-slash", ep->source, ep->line, ep->word,
                    "what begins so is allowed, too: %sx", ep->prefix);
    else
        finding_add(f, FINDING_WARNING, "no-final-slash", ep->source, ep->line, ep->word,
                    "%s-evil/ begins so, too, and is allowed; end it with '/' to mean the folder",
                    ep->prefix);
}

static void check_url(struct findings *f, const struct endpoint *ep)
{
    check_prefix(f, ep);
    check_upload(f, ep);
    if (ep->host_kind == URL_HOST_NAME)
        check_pattern(f, ep);
    if (ep->scheme == URL_HTTP)
        add(f, FINDING_NOTE, "plain-http", ep,
            "plain http: whoever is on the way can read and change it");
}

/* --- addresses --- */

/* How many bits stand before a network's IPv4 addresses, which are all there is in it: none; those
 * of NAT64 (RFC 6052); or -1: it has IPv6 ones. */
static int bits_before_ipv4(const struct endpoint *ep)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (ep->family == AF_INET)
        return 0;
    return ep->prefix_len >= 48 && memcmp(&ep->address, nat64, sizeof(nat64)) == 0 ? 96 : -1;
}

/* A large part of the internet: by its length alone, but for a network of which nothing is public.
 * Networks are aligned, so both ends of such a one say that (address.c), where no IPv4 address may
 * stand inside of some. */
static bool is_wide(const struct endpoint *ep)
{
    int before = bits_before_ipv4(ep), length = (int)ep->prefix_len;
    uint8_t last[16];

    if (length >= (before < 0 ? 48 : before + 16))
        return false;
    memcpy(last, &ep->address, sizeof(last));
    if (before < 0 ? last[0] < 0xfc : length < before + CLASS_PREFIX_MIN)
        return true;
    for (unsigned i = ep->prefix_len; i < (before == 0 ? 32 : 128); i++)
        last[i / 8] |= (uint8_t)(0x80 >> i % 8);
    return address_classify(ep->family, &ep->address) == ADDRESS_PUBLIC ||
           address_classify(ep->family, last) == ADDRESS_PUBLIC;
}

static void check_address(struct findings *f, const struct endpoint *ep)
{
    if (policy_is_dns_server(ep))
        add(f, FINDING_WARNING, "dns-server", ep,
            "a DNS server of its own: allowed names are asked there instead of the host's "
            "resolvers, and its owner learns of them");
    else if (policy_is_loopback(ep))
        add(f, FINDING_NOTE, "loopback", ep,
            "what listens there runs on the host, outside of the jail, and may pass requests on");
    else if (is_metadata(ep))
        add(f, FINDING_WARNING, "metadata", ep, metadata_text);
    else if (is_wide(ep))
        finding_add(f, FINDING_WARNING, "wide-network", ep->source, ep->line, ep->word,
                    "a network of /%u is a large part of the internet; an attacker rents a machine "
                    "in it",
                    ep->prefix_len);
    else if (is_doh_address(ep))
        add(f, FINDING_WARNING, "dns-over-https", ep,
            "a DNS server over HTTPS or TLS: any name can be asked for");
}

static void check_name_port(struct findings *f, const struct endpoint *ep)
{
    const char *shared = is_doh_host(ep->host)
                             ? "a DNS server over HTTPS: any name can be asked for"
                             : shared_host(ep->host);

    check_pattern(f, ep);
    if (ep->port == 443 || ep->port == 80)
        finding_add(f, FINDING_NOTE, "not-judged", ep->source, ep->line, ep->word,
                    "requests there are not read, so all paths and methods are allowed; a URL "
                    "(%s://%s/) can be narrowed",
                    ep->port == 443 ? "https" : "http", ep->host);
    if (shared)
        finding_add(f, FINDING_WARNING, "upload", ep->source, ep->line, ep->word,
                    "anyone can have data sent to %s, and what is sent is not read", shared);
}

/* --- unix sockets --- */

static void check_unix(struct findings *f, const struct endpoint *ep)
{
    static const struct {
        const char *end;
        const char *why;
    } known[] = {
        {"docker.sock", "a container engine: whoever may ask it is root on the host"},
        {"podman.sock", "a container engine: it starts programs outside of the jail"},
        {"containerd.sock", "a container engine: whoever may ask it is root on the host"},
        {"crio.sock", "a container engine: whoever may ask it is root on the host"},
        {"system_bus_socket", "D-Bus: services of the host can be told to start programs"},
        {"/bus", "the session's D-Bus: it starts programs outside of the jail (systemd-run)"},
        {"S.gpg-agent", "keys are used by whoever may ask"},
        {"io.systemd.Resolve", "a resolver that answers for any name"},
        {"/nscd/socket", "a resolver that answers for any name"},
        {".X11-unix/X0", "the display: its clients can type into each other's windows"},
    };
    size_t n = strlen(ep->path);

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        size_t end = strlen(known[i].end);
        if (n >= end && strcmp(ep->path + n - end, known[i].end) == 0)
            add(f, FINDING_WARNING, "engine-socket", ep, known[i].why);
    }
}

void risks_of(struct findings *f, const struct endpoint *ep)
{
    switch (ep->kind) {
    case ENDPOINT_URL:
        check_url(f, ep);
        break;
    case ENDPOINT_NAME:
        check_pattern(f, ep);
        break;
    case ENDPOINT_NAME_PORT:
        check_name_port(f, ep);
        break;
    case ENDPOINT_ADDRESS:
        check_address(f, ep);
        break;
    case ENDPOINT_UNIX:
    case ENDPOINT_ABSTRACT:
        check_unix(f, ep);
        break;
    case ENDPOINT_NETLINK:
        add(f, FINDING_NOTE, "netlink", ep,
            "more of the kernel's code is within the command's reach; few builds need it");
        break;
    }
}
