/* Linked with the CPython input: the sum of the first COUNT numbers, as a script computes it.  No modules are
 * imported that lie in files. */
#include <Python.h>
#include <stdint.h>

static PyObject *run(const char *script) {
    PyObject *names = PyDict_New();
    if (!names || PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()))
        return NULL;
    return PyRun_String(script, Py_eval_input, names, names);
}

uint64_t check_python(uint64_t count);
uint64_t check_python(uint64_t count) {
    PyConfig config;
    char script[128];
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    config._init_main = 0; /* no encodings, no importlib from files */
    PyStatus status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        return 0;
    snprintf(script, sizeof script, "sum(int(repr(n)) for n in range(%llu + 1))", (unsigned long long)count);
    PyObject *result = run(script);
    if (!result)
        PyErr_Print();
    return result ? PyLong_AsUnsignedLongLong(result) : 0;
}
