/* explain.c: cijailctl explain: which word of a policy allows a URL, a name, an endpoint or a unix
 * socket, by the questions that the jail itself asks; and if none does, the word that would, and
 * those that come near. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "src/address.h"
#include "src/util.h"

#define NEAR_MAX 5

/* A word that does not allow what is asked, and why not. */
struct near {
    const struct endpoint *ep;
    const char *why;
};

struct question {
    const struct policy *policy;
    const char *text;        /* as asked */
    const char *method;      /* of a URL */
    struct endpoint as_word; /* the text as a word of a policy */
    struct url url;
    const struct endpoint *allowed_by;
    bool unread;                      /* all that is said there passes, whatever the URL */
    char would[POLICY_WORD_MAX + 64]; /* the word that would allow it */
    const char *note;                 /* NULL, or what else is to be known */
    struct near near[NEAR_MAX];
    size_t near_count;
};

/* --- the answers of each kind --- */

/* As the jail has it: of https what is not read comes first (policy_raw.c), of http what stands
 * first. A port of the host's loopback is where a client that heeds no_proxy ends up; to the proxy
 * the URL counts. */
static void match_url(struct question *q)
{
    const struct url_authority *a = &q->url.authority;
    uint8_t address[16];
    int family = a->kind == URL_HOST_IPV4 ? AF_INET : AF_INET6;

    q->allowed_by = q->url.scheme == URL_HTTPS ? policy_match_raw(q->policy, a) : NULL;
    if (!q->allowed_by)
        q->allowed_by = policy_match_request(q->policy, q->method, &q->url);
    if (!q->allowed_by && a->kind != URL_HOST_NAME && inet_pton(family, a->host, address) == 1)
        q->allowed_by = policy_match_loopback(q->policy, family, address, a->port);
    q->unread = q->allowed_by && q->allowed_by->kind != ENDPOINT_URL;
}

static int ask_url(struct question *q, struct error *e)
{
    char text[URL_TEXT_SIZE];
    char *slash;
    int r = url_parse(q->text, strlen(q->text), &q->url, e);

    if (r < 0)
        return r;
    match_url(q);
    if (url_format(&q->url, text, sizeof(text)) < 0)
        return error_set(e, ENAMETOOLONG, "the URL is too long");
    slash = strchr(text, '?');
    if (slash)
        *slash = '\0';
    slash = strrchr(text, '/');
    if (slash)
        slash[1] = '\0';
    (void)snprintf(q->would, sizeof(q->would), "%s:%.4000s",
                   strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0 ? "GET,HEAD"
                                                                                   : q->method,
                   text);
    return 0;
}

static void ask_name(struct question *q)
{
    q->allowed_by = policy_match_resolve(q->policy, q->as_word.host);
    copy_string(q->would, sizeof(q->would), q->as_word.host);
    q->note =
        "this is of resolving the name; what may be asked of it is the question of a URL or of "
        "NAME:PORT";
}

static void ask_name_port(struct question *q)
{
    q->allowed_by = policy_match_name_port(q->policy, q->as_word.host, q->as_word.port);
    (void)snprintf(q->would, sizeof(q->would), "%s:%u", q->as_word.host, q->as_word.port);
    if (!q->allowed_by && (policy_has_port(q->policy, URL_HTTPS, q->as_word.port) ||
                           policy_has_port(q->policy, URL_HTTP, q->as_word.port)))
        q->note = "the port is one of URLs: requests to it are judged by their URL";
}

static int ask_address(struct question *q, struct error *e)
{
    const struct endpoint *w = &q->as_word;

    if (w->prefix_len != (w->family == AF_INET ? 32u : 128u))
        return error_set(e, EINVAL, "a network; expected one address");
    if (policy_is_loopback(w))
        q->allowed_by = policy_match_loopback(q->policy, w->family, &w->address, w->port);
    else if (policy_is_dns_server(w))
        q->allowed_by = policy_match_dns_server(q->policy, w->family, &w->address);
    else
        q->allowed_by = policy_match_address(q->policy, w->family, &w->address, w->port);
    address_format(w->family, (const uint8_t *)&w->address, w->port, q->would);
    if (policy_is_dns_server(w))
        q->note = "a DNS server: the names that it is asked for are judged, too";
    else if (!q->allowed_by && policy_has_kind(q->policy, ENDPOINT_NAME_PORT))
        q->note =
            "if a NAME:PORT of the policy resolves to it, it can be reached while the answer is "
            "valid";
    return 0;
}

static void ask_socket(struct question *q)
{
    const struct policy *p = q->policy;

    for (size_t i = 0; i < p->count && !q->allowed_by; i++)
        if (p->endpoints[i].kind == q->as_word.kind && q->as_word.path &&
            strcmp(p->endpoints[i].path, q->as_word.path) == 0)
            q->allowed_by = &p->endpoints[i];
    copy_string(q->would, sizeof(q->would), q->text);
    if (q->as_word.kind == ENDPOINT_UNIX)
        q->note =
            "by its path; in a jail the socket itself is compared, so links to it count as it";
}

static int ask(struct question *q, struct error *e)
{
    int r;

    if (strstr(q->text, "://"))
        return ask_url(q, e);
    r = policy_parse_word(q->text, strlen(q->text), &q->as_word, e);
    if (r < 0)
        return r;
    if (strchr(q->as_word.host, '*'))
        return error_set(e, EINVAL, "a pattern; expected one name");
    switch (q->as_word.kind) {
    case ENDPOINT_NAME:
        ask_name(q);
        return 0;
    case ENDPOINT_NAME_PORT:
        ask_name_port(q);
        return 0;
    case ENDPOINT_ADDRESS:
        return ask_address(q, e);
    case ENDPOINT_UNIX:
    case ENDPOINT_ABSTRACT:
        ask_socket(q);
        return 0;
    default:
        return error_set(e, EINVAL, "expected a URL, NAME, NAME:PORT, ADDRESS:PORT or a path");
    }
}

/* --- what comes near --- */

/* Why a URL endpoint of the same host does not allow it. */
static const char *why_not_url(const struct question *q, const struct endpoint *ep)
{
    struct policy one = {.endpoints = (struct endpoint *)(uintptr_t)ep, .count = 1};

    if (ep->scheme != q->url.scheme)
        return "another scheme";
    if (ep->port != q->url.authority.port)
        return "another port";
    if (strncmp(ep->prefix, q->url.target, strlen(ep->prefix)) != 0)
        return "another path";
    return policy_match_request(&one, q->method, &q->url) ? NULL : "another method";
}

/* NULL: it is not near. */
static const char *why_near(const struct question *q, const struct endpoint *ep)
{
    bool url = strstr(q->text, "://") != NULL;
    const char *host = url ? q->url.authority.host : q->as_word.host;

    if (!host[0] || !ep->host[0] || !name_match(ep->host, host))
        return NULL;
    if (url && ep->kind == ENDPOINT_URL)
        return why_not_url(q, ep);
    if (ep->kind == ENDPOINT_NAME)
        return "it allows resolving alone";
    if (ep->kind == ENDPOINT_NAME_PORT)
        return "another port";
    return ep->kind == ENDPOINT_URL ? "it allows requests that are read" : NULL;
}

/* Of what is denied. */
static void find_near(struct question *q)
{
    const struct policy *p = q->policy;

    for (size_t i = 0; i < p->count && q->near_count < NEAR_MAX; i++) {
        const char *why = why_near(q, &p->endpoints[i]);
        if (why)
            q->near[q->near_count++] = (struct near){&p->endpoints[i], why};
    }
}

/* --- output --- */

/* "'WORD' (SOURCE:LINE)" */
static void print_place(FILE *out, const struct endpoint *ep)
{
    char word[512], source[256];

    (void)escape_text(word, sizeof(word), ep->word, strlen(ep->word));
    (void)escape_text(source, sizeof(source), ep->source, strlen(ep->source));
    (void)fprintf(out, "'%s' (%s:%u)", word, source, ep->line);
}

static void print_text(const struct question *q, FILE *out)
{
    char would[512];

    if (q->allowed_by) {
        (void)fputs("allowed by ", out);
        print_place(out, q->allowed_by);
        (void)fputs(q->unread ? ", unread\n" : "\n", out);
    } else {
        (void)fprintf(out, "denied: no word of the policy allows it\n");
        for (size_t i = 0; i < q->near_count; i++) {
            (void)fputs("  not by ", out);
            print_place(out, q->near[i].ep);
            (void)fprintf(out, ": %s\n", q->near[i].why);
        }
        (void)escape_text(would, sizeof(would), q->would, strlen(q->would));
        (void)fprintf(out, "this word would allow it: %s\n", would);
    }
    if (q->note)
        (void)fprintf(out, "note: %s\n", q->note);
}

static void set_place(json_t *o, const struct endpoint *ep)
{
    json_set_text(o, "word", ep->word);
    json_set_text(o, "source", ep->source);
    json_set_new_checked(o, "line", json_integer(ep->line));
}

static json_t *near_to_json(const struct question *q)
{
    json_t *list = json_array();

    for (size_t i = 0; i < q->near_count; i++) {
        json_t *o = json_object();
        set_place(o, q->near[i].ep);
        json_set_text(o, "why", q->near[i].why);
        json_append_checked(list, o);
    }
    return list;
}

static void print_json(const struct question *q, FILE *out)
{
    json_t *o = json_object();

    json_set_text(o, "asked", q->text);
    json_set_text(o, "decision", q->allowed_by ? "allow" : "deny");
    if (q->allowed_by) {
        set_place(o, q->allowed_by);
        json_set_new_checked(o, "unread", json_boolean(q->unread));
    } else {
        json_set_text(o, "would_allow", q->would);
        json_set_new_checked(o, "near", near_to_json(q));
    }
    if (q->note)
        json_set_text(o, "note", q->note);
    json_print(o, out);
}

/* What stands on the command line: the policies of -p are added to p as they come. With an empty e:
 * it has been said. */
static int read_options(int argc, char **argv, struct question *q, struct policy *p, bool *json,
                        struct error *e)
{
    static const struct option longs[] = {{"method", required_argument, NULL, 'm'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    int key, r = 0, presets = 0;

    opterr = 0;
    while (r == 0 && (key = getopt_long(argc, argv, ":m:p:", longs, NULL)) != -1) {
        if (key == 'm')
            q->method = optarg;
        else if (key == 'j')
            *json = true;
        else if (key == 'p' && ++presets)
            r = ctl_add_policy(optarg, p, e);
        else
            r = ctl_bad_option("explain", argv, key);
    }
    if (r == 0 && argc - optind != (presets ? 1 : 2)) {
        (void)ctl_usage("explain", "expected %s what is asked: a URL, a name, an address or a path",
                        presets ? "after the options" : "a policy, or -p PRESET, and");
        r = -EINVAL;
    }
    if (r == 0 && !presets)
        r = ctl_parse_policy(argv[optind++], p, e);
    if (r == 0)
        q->text = argv[optind];
    return r;
}

enum ctl_status explain_main(int argc, char **argv)
{
    static struct question q = {.method = "GET", .text = ""};
    enum ctl_status status = CTL_INVALID;
    struct policy policy;
    struct error e = {""};
    bool json = false;

    q.policy = &policy;
    policy_init(&policy);
    if (read_options(argc, argv, &q, &policy, &json, &e) < 0) {
        if (e.text[0])
            (void)ctl_fail("explain", "%s", e.text);
    } else if (ask(&q, &e) < 0) {
        char shown[256];
        (void)escape_text(shown, sizeof(shown), q.text, strlen(q.text));
        (void)ctl_fail("explain", "'%s': %s", shown, e.text);
    } else {
        if (!q.allowed_by)
            find_near(&q);
        (json ? print_json : print_text)(&q, stdout);
        status = q.allowed_by ? CTL_OK : CTL_FOUND;
    }
    policy_free_endpoint(&q.as_word);
    policy_free(&policy);
    return status;
}
