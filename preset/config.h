/* config.h: readers of the configuration files of package managers. Each takes a text of any bytes
 * and calls each for the values that it finds, in the order of the text: with their path in the
 * file (section and key), the value, and its line. None of them fails: what is no file of that kind
 * has no values. Bounded by the text, by CONFIG_PATH_SIZE and CONFIG_VALUE_SIZE (what is longer is
 * left out, whole), and by depth.
 *
 * They read as much of each format as these programs write and document; a value that is spelt in
 * a way that is not read (a TOML string of several lines, say) is no value. */
#ifndef CIJAIL_PRESET_CONFIG_H
#define CIJAIL_PRESET_CONFIG_H

#include <stddef.h>

#define CONFIG_PATH_SIZE 512
#define CONFIG_VALUE_SIZE 4096

/* path and value: valid during the call, printable or not, without NUL. What a reader does not
 * understand, and somebody could miss, has the path CONFIG_LEFT_OUT: the value says why. */
typedef void config_cb(void *arg, const char *path, const char *value, unsigned line);
#define CONFIG_LEFT_OUT "?left-out"

/* npmrc: key = value; '#' and ';' begin comments, also after a value. pip: sections; '=' or ':'; an
 * line that is indented deeper than its key goes on with the value; key_a is key-a (configparser,
 * pip-config). git:
 * sections, [url "https://..."]; as npmrc (git-config, "Syntax"). env: KEY=VALUE (go env -w).
 * Path: "key", or "section.key"; the key in lower case, but of env as it is. */
void config_npmrc(const char *text, size_t len, config_cb *each, void *arg);
void config_pip(const char *text, size_t len, config_cb *each, void *arg);
void config_git(const char *text, size_t len, config_cb *each, void *arg);
void config_env(const char *text, size_t len, config_cb *each, void *arg);

/* TOML 1.0: tables, dotted keys, strings on one line, inline tables and arrays. Path:
 * "table.key". */
void config_toml(const char *text, size_t len, config_cb *each, void *arg);

/* XML 1.0: elements and their text; attributes, namespaces and processing instructions are passed
 * over; of entities, those of XML itself and those of characters. Path: "root/element/element".
 * Called at the end of each element, also of one that has elements, with its own text then, and the
 * line of its start. */
void config_xml(const char *text, size_t len, config_cb *each, void *arg);

/* YAML as gem(1) and bundler(1) write it: "key: value", and "key:" with "- value" below it. Path:
 * the key. */
void config_yaml(const char *text, size_t len, config_cb *each, void *arg);

/* sources.list(5) in one-line style, and in deb822 style. Path: "uri". */
void config_apt_list(const char *text, size_t len, config_cb *each, void *arg);
void config_apt_sources(const char *text, size_t len, config_cb *each, void *arg);

/* Composer's config.json: the URLs of its repositories, path "composer"; and what is set to false
 * there, path "disabled", value the name. */
void config_composer(const char *text, size_t len, config_cb *each, void *arg);

#endif
