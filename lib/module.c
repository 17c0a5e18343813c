/* SPDX-License-Identifier: ISC */

/*
 * module.c - find and load modules of ours.
 *
 * In the build tree, and where prefix/lib holds libraries, their folder is
 * found relative to the program's. Otherwise it is the folder of the
 * installation.
 */

#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/module.h"

#define BESIDE "/../lib/" PACKAGE "/" /* relative to the program's folder */
#define INSTALLED PKGLIBDIR "/"

void
module_find(const char *file_name, char ret_path[PATH_MAX])
{
	char path[PATH_MAX] = "", *slash;

	(void)!readlink("/proc/self/exe", path, sizeof(path) - 1);
	if ((slash = strrchr(path, '/')) != NULL)
		*slash = '\0';
	if (slash == NULL ||
	    strlcat(path, BESIDE, sizeof(path)) >= sizeof(path) ||
	    strlcat(path, file_name, sizeof(path)) >= sizeof(path) ||
	    access(path, F_OK) == -1)
		(void)snprintf(path, sizeof(path), "%s%s", INSTALLED,
		    file_name);
	(void)strlcpy(ret_path, path, PATH_MAX);
}

const void *
module_load(const char *file_name, const char *symbol, char *ret_error,
    size_t error_size)
{
	const char *const *exported = NULL;
	char path[PATH_MAX];
	void *module;

	module_find(file_name, path);
	if ((module = dlopen(path, RTLD_NOW | RTLD_LOCAL)) != NULL)
		exported = dlsym(module, symbol);
	if (exported == NULL) {
		(void)strlcpy(ret_error, dlerror(), error_size);
		return NULL;
	}
	if (strcmp(*exported, PACKAGE_VERSION) != 0) {
		(void)snprintf(ret_error, error_size,
		    "%s is version %s; expected %s", file_name, *exported,
		    PACKAGE_VERSION);
		return NULL;
	}
	return exported;
}
