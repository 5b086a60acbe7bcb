/* tls_plugin: a plug-in that links with a copy of the library of its own. */
#ifndef TLS_PLUGIN_H
#define TLS_PLUGIN_H

/* Links the object at PATH and gives its function `count`; NULL when it cannot. */
int (*plugin_open(const char *path))(int);

#endif
